"""The newspaper: paces the simulated clusters, feeds them inputs, prints what happened.

Nothing in here knows how Kubernetes works; that is ``cluster``'s matter.
"""
