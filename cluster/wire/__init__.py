"""What crosses a process boundary, as typed messages: one module per protocol.

Rooms never import each other; they import these. A message is frozen, holds plain data, and is never changed by its
receiver: a JSON document inside it may be shared by many.
"""
