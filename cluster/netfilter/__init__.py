"""The node's kernel: netfilter's hooks, tables, rules, connection tracking, and a packet's walk through them.

Linux calls five hooks as a packet passes (``hooks``). Tables hang chains of rules on the hooks (``tables``, ``rules``); what a
rule can ask and do is typed, and a word nobody knows here stays a named unknown (``parse``). ``render`` prints what
``iptables-save`` prints, ``walk`` sends a packet through, ``conntrack`` remembers flows so that replies find back.

Upstream: Linux net/netfilter, net/ipv4/netfilter; iptables 1.8.
"""

from cluster.netfilter.parse import ParseError, parse_rule, parse_save, restore
from cluster.netfilter.render import render_rule, save
from cluster.netfilter.tables import Chain, Ruleset, fresh_ruleset
from cluster.netfilter.walk import Leaf, Step, Walk, Walker

__all__ = [
    "Chain",
    "Leaf",
    "ParseError",
    "Ruleset",
    "Step",
    "Walk",
    "Walker",
    "fresh_ruleset",
    "parse_rule",
    "parse_save",
    "render_rule",
    "restore",
    "save",
]
