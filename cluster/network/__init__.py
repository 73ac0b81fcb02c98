"""What programs in pods and on nodes say to each other over the simulated network, and who may: clients, servers, names, policies.

Pure functions and generators. Packets themselves are moved by ``cluster.node``; here is what is in them and what people see of it.
"""
