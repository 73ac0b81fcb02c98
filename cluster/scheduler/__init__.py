"""The scheduler: for each Pod without a Node, which Node?

``scheduler`` is the process; ``queue`` decides which Pod is next and which wait; ``framework`` runs the plug-ins of
``plugins`` (one file each: filters say *no*, scores say *how good*); ``nodeinfo`` is what is known of each Node, kept up to date
event by event; ``preemption`` looks for Pods that would have to go.
"""
