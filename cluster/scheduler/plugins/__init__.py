"""The scheduler's plug-ins, one file each. They know Nodes, Pods and their cycle, not each other."""
