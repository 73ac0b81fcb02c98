"""The living product against recordings of real Kubernetes. They lie in ``../shared/oracles``, next to the checkout; kubectl, curl and jq are needed."""
