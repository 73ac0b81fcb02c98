"""Pure functions about documents that several controllers use (pkg/controller, pkg/api/v1/pod)."""
