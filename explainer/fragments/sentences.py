"""The world's own sentences, told in the reader's language.

The world is deterministic and speaks English only: a stage's reason, an effect's text. Each sentence it can say stands here once, with
placeholders; that line is the pattern which recognises it and the msgid of the catalogues at the same time.

In → out: a sentence as the world said it in, ``Told(text, known)`` out: in the active language when the sentence is known, else as it
came (the page then marks it ``lang="en"``). Texts of the Kubernetes API itself (a ``Status`` message) are never translated: they are
what a client reads on the wire. ``table()`` is the same list for scripts, which meet sentences in the feed.

Simplified here: a placeholder named in ``NUMBERS`` matches figures only, one named in ``LONG`` the rest of the sentence, every other one
a run without spaces. Names are put back untranslated.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from django.utils.translation import get_language, gettext

from .particles import settle
from .words import noop

SENTENCES = (
    noop("%(version)s; the client showed a certificate for %(name)s"),
    noop("%(version)s; the client's certificate did not verify: %(why)s"),
    noop("%(version)s; the client showed no certificate"),
    noop("The bearer token is not valid"),
    noop("The bearer token is not valid: %(why)s"),
    noop("The bearer token was signed by this cluster for %(name)s"),
    noop("The client certificate is not trusted"),
    noop("The client certificate is not trusted: %(why)s"),
    noop("The client certificate's subject is CN=%(name)s"),
    noop("The request carries no credential, so it is system:anonymous"),
    noop("No audit policy is configured, so nothing is logged; the request got its Audit-ID"),
    noop("The request asks for no impersonation"),
    noop("Groups or extra were given without a user"),
    noop("%(who)s may impersonate %(name)s; the request goes on as %(as)s"),
    noop('FlowSchema "%(schema)s" puts it into priority level "%(level)s"'),
    noop("Members of the group %(name)s may do everything"),
    noop("Node: kubelets may %(verb)s %(what)s"),
    noop("Node: %(node)s may %(verb)s what it needs"),
    noop("RBAC: %(kind)s %(binding)s grants it through %(of)s %(role)s, rule %(n)s"),
    noop("RBAC: %(n)s bindings name %(name)s or one of their groups, and none lets them %(what)s"),
    noop("RBAC: 1 binding names %(name)s or one of their groups, and it does not let them %(what)s"),
    noop("RBAC: no binding names %(name)s or one of their groups, so nothing lets them %(what)s"),
    noop("no binding names %(name)s or its groups"),
    noop("it grants only in %(name)s"),
    noop("the role does not exist"),
    noop("the role has no rules"),
    noop("rule %(n)s grants it"),
    noop("rule %(n)s: it grants paths, not resources"),
    noop("rule %(n)s: it grants resources, not paths"),
    noop('rule %(n)s: its apiGroups are %(what)s, not the core group ""'),
    noop("rule %(n)s: its %(field)s are %(what)s, not %(why)s"),
    noop("rule %(n)s: it has no %(field)s that could cover %(why)s"),
    noop("no rule for kubelets covers this"),
    noop("no credential of this kind"),
    noop("not asked"),
    noop("The body replaces revision %(revision)s: nothing is different"),
    noop("The body replaces revision %(revision)s of the object"),
    noop("The patch was put onto revision %(revision)s: nothing is different"),
    noop("The patch was put onto revision %(revision)s of the object"),
    noop("The body was made from revision %(old)s, the object is at revision %(new)s by now"),
    noop("The body is a %(kind)s of %(version)s"),
    noop("The body is a patch of type %(media)s"),
    noop("The options of the deletion"),
    noop("Every field that has a default was set"),
    noop("Unset fields of the %(kind)s got their defaults"),
    noop("The %(kind)s strategy set the fields a client may not"),
    noop("The %(kind)s strategy changed nothing"),
    noop("The %(kind)s is valid"),
    noop("%(method)s %(path)s by %(user)s stands at %(stage)s in %(component)s"),
    noop("%(method)s %(path)s stands at %(stage)s in %(component)s"),
    noop("No plug-in %(name)s does %(stage)s: %(why)s do."),
    noop("There is no member %(name)s here: the members are %(why)s."),
    noop("A watcher's name has letters, digits and : . _ / - only."),
    noop("At %(stage)s nobody knows the user yet: stop at authentication or later."),
    noop("There are %(n)s breakpoints, which is as many as a cluster may have: remove one first."),
    noop("This is not CEL at character %(n)s: %(why)s"),
    noop("This is not CEL: %(why)s"),
    noop("There is no resource %(name)s; name a plural, such as pods, nodes or deployments."),
    noop("The function %(name)s is not supported here: CEL's standard functions and macros are."),
    noop("Optional fields (.? and [?]) are not supported here; ask has(x.y) first."),
    noop("The expression looks at no objects; name some, such as pods or deployments."),
    noop("The macro %(name)s takes a variable and one expression here."),
    noop("Say until when: cel, an expression over objects, or pick, a thing."),
    noop("%(kind)s %(name)s: there is no field %(field)s (has(…) asks whether there is)"),
    noop("the expression is neither true nor false: compare something, such as pods.size() >= 3"),
    noop("%(a)s and %(b)s don't go together: CEL compares and adds values of one type only"),
    noop("It had nothing to change"),
    noop("It has no objection"),
    noop("Namespace %(name)s exists and is not being deleted"),
    noop("It looks at deletions when it validates"),
    noop("It looked at the namespace before others did their work"),
    noop("Namespace %(name)s is none of those that the cluster needs to live"),
    noop("Service account %(name)s exists"),
    noop("It runs as service account %(name)s"),
    noop("It runs as service account %(name)s, gets its token mounted"),
    noop("It runs as service account %(name)s, uses its image pull secrets"),
    noop("It runs as service account %(name)s, gets its token mounted, uses its image pull secrets"),
    noop("It has everything already"),
    noop("A mirror pod of the kubelet is left as it is"),
    noop("A mirror pod of the node itself"),
    noop("A mirror pod needs no account"),
    noop("It tolerates both already"),
    noop("It tolerates not-ready and unreachable for %(n)s s"),
    noop("It tolerates %(what)s for %(n)s s"),
    noop("Its own Node"),
    noop("Node %(node)s writes what is its own"),
    noop("The pod is bound to the node"),
    noop("Priority %(n)s: no class, no default"),
    noop("Priority %(n)s, from the class %(name)s"),
    noop("The priority stays %(n)s"),
    noop("A PriorityClass is left as it is"),
    noop("The priority of a pod was settled when it was created"),
    noop("It settled the priority before"),
    noop("The class is not marked as the default"),
    noop("No other class is the default"),
    noop("The namespace has no LimitRange"),
    noop("Only pods get defaults"),
    noop("Every container says what it needs"),
    noop("LimitRanger plugin set: %(what)s"),
    noop("Within the namespace's LimitRanges"),
    noop("No quota of the namespace counts this"),
    noop("Within the quota %(name)s"),
    noop("No bound policy is about this request"),
    noop("Every validation of %(what)s is true"),
    noop("No webhook is about this request"),
    noop("Webhook %(name)s did not answer and is ignored, as its failurePolicy says: %(why)s"),
    noop("The namespace lets pods be privileged"),
    noop('Within PodSecurity "%(level)s"'),
    noop("It names its class"),
    noop("It names its class by annotation"),
    noop("No class is the default"),
    noop("The default class is %(name)s"),
    noop("It has the finalizer already"),
    noop("The finalizer %(name)s protects it"),
    noop("The node has the taint already"),
    noop("A new node is tainted not-ready until it is"),
    noop("RuntimeClass %(name)s asks for nothing"),
    noop("From RuntimeClass %(name)s"),
    noop("Stored as revision %(revision)s"),
    noop("Deleted as revision %(revision)s"),
    noop("Read through the quorum at revision %(revision)s"),
    noop("Read %(n)s keys at revision %(revision)s"),
    noop("Read the revision that guards the Service address range"),
    noop("The quorum is at revision %(revision)s; the watch cache serves the rest"),
    noop("The key is at revision %(revision)s by now: trying again"),
    noop("The key was deleted meanwhile"),
    noop("Another Service took addresses meanwhile: allocating again"),
    noop("etcd already has %(key)s"),
    noop("etcd has no key %(key)s"),
    noop("leader %(member)s appended the request as entry %(index)s of term %(term)s"),
    noop("leader %(member)s appended the request, forwarded by %(origin)s, as entry %(index)s of term %(term)s"),
    noop("%(member)s stored entry %(index)s of term %(term)s after %(ms)s ms fsync"),
    noop("%(n)s of %(voters)s members have entry %(index)s: a quorum (%(need)s)"),
    noop("%(member)s applied entry %(index)s"),
    noop("%(who)s hears that %(what)s was added"),
    noop("%(who)s hears that %(what)s was modified"),
    noop("%(who)s hears that %(what)s was deleted"),
    noop("%(n)s objects"),
    noop("%(n)s objects were deleted"),
    noop("A dry run: nothing was stored"),
    noop("A token for %(n)s s was signed"),
    noop("The token is %(name)s's"),
    noop("The token is not valid"),
    noop("HTTP %(code)s, and the stream stays open"),
    noop("HTTP %(code)s"),
    noop("%(user)s may not do that"),
    noop("%(user)s may do that"),
    noop("The object is being deleted"),
    noop("The object is gone"),
    noop("The pod is being deleted"),
    noop("The pod is bound to %(node)s"),
    noop("The pod has no node yet, so there is nothing to show"),
    noop("The published schemas"),
    noop("The kubelet answered"),
    noop("%(kind)s %(key)s wants %(want)s Pods and has %(have)s, so it creates %(n)s Pods."),
    noop("%(kind)s %(key)s wants %(want)s Pods and has %(have)s, so it deletes %(n)s Pods."),
    noop("DaemonSet %(key)s creates %(new)s and deletes %(old)s Pods to have one on every suitable Node."),
    noop("Pod %(key)s doesn't tolerate the taints of %(node)s any longer, so it is deleted."),
    noop("No heartbeat from %(node)s for %(n)s s: its conditions are Unknown now."),
    noop("Job %(key)s finished %(n)s s ago, so it is deleted."),
    noop("Job %(key)s could not create a Pod: %(why)s"),
    noop("The owner of %(kind)s %(key)s is gone, so the %(same)s is deleted."),
    noop("Claim %(key)s gets the volume %(name)s."),
    noop("Node %(key)s gets none of its former taints."),
    noop("Node %(key)s gets %(what)s."),
    noop("The turn of %(name)s: it is created."),
    noop("Namespace %(key)s is being deleted: %(n)s kinds are emptied."),
    noop("It is time: %(name)s starts a Job."),
    noop("Service %(key)s now has %(n)s endpoints in its slice."),
    noop("Pod %(key)s goes to %(node)s: %(fit)s of %(n)s nodes would do and it has the highest score."),
    noop(
        "Pod %(key)s goes to %(node)s: %(fit)s of %(n)s nodes would do, %(have)s of them share the highest score, and the dice chose."
    ),
    noop("Pod %(key)s goes to %(node)s: %(fit)s of %(n)s nodes would do."),
    noop("No Pod uses claim %(key)s any more, so it may go."),
    noop("No claim is bound to volume %(key)s any more, so it may go."),
    noop("Pod %(key)s can't be scheduled: %(why)s"),
    noop("%(node)s made the sandbox of %(key)s with address %(ip)s"),
    noop("%(node)s pulled %(image)s"),
    noop("%(node)s could not pull %(image)s"),
    noop("%(node)s started container %(name)s of %(key)s"),
    noop("%(node)s stopped %(key)s"),
    noop("container %(name)s of %(key)s on %(node)s ended with exit code %(code)s"),
    noop("%(node)s is ready"),
    noop("%(who)s became leader of %(name)s."),
    noop("%(who)s failed to renew %(name)s for %(n)s s and stops."),
    noop("kube-proxy on %(node)s wrote %(n)s rules for %(service)s"),
    noop("kube-proxy on %(node)s removed %(n)s rules for %(service)s"),
    noop("kube-proxy on %(node)s wrote %(n)s rules and removed %(gone)s rules for %(service)s"),
    noop("a packet to %(ip)s:%(port)s at %(node)s: cannot be told"),
    noop("a packet to %(ip)s:%(port)s at %(node)s: %(verdict)s"),
    noop("there is no node %(node)s that is switched on"),
    noop("no kube-proxy has written any rule on %(node)s yet"),
    noop("no kube-proxy runs on %(node)s"),
)
NUMBERS = frozenset(
    (
        "n",
        "index",
        "term",
        "revision",
        "code",
        "need",
        "voters",
        "ms",
        "want",
        "have",
        "new",
        "old",
        "fit",
        "gone",
        "port",
    )
)
LONG = frozenset(("why", "what", "user"))
PLACE = re.compile(r"%\((\w+)\)s")
SINGULAR = re.compile(r"\b1 (rule|Pod|endpoint|object)\b")


class Told(NamedTuple):
    """A sentence for the page."""

    text: str
    known: bool


def pattern(sentence: str) -> str:
    """Return the regular expression of a sentence; JavaScript reads it too, once ``?P<`` is written ``?<``."""
    parts = PLACE.split(sentence)
    out = [re.escape(parts[0])]
    for name, literal in zip(parts[1::2], parts[2::2], strict=True):
        kind = r"\d[\d.,]*" if name in NUMBERS else ".+" if name in LONG else r"\S+?"
        out.append(f"(?P<{name}>{kind})" + re.escape(literal))
    return "^" + "".join(out).replace("\\ ", " ") + "$"


PATTERNS = tuple((re.compile(pattern(sentence)), sentence) for sentence in SENTENCES)


@lru_cache(maxsize=4096)
def recognise(text: str) -> tuple[str, dict[str, str]] | None:
    """Return the sentence that ``text`` is an instance of, and what stands in its places."""
    text = SINGULAR.sub(r"1 \1s", text)
    for expression, sentence in PATTERNS:
        found = expression.match(text)
        if found is not None:
            return sentence, found.groupdict()
    return None


def tell(text: str) -> Told:
    """Return a sentence of the world in the active language."""
    if (get_language() or "en").startswith("en"):
        return Told(text, True)
    found = recognise(text)
    if found is None:
        return Told(text, False)
    sentence, values = found
    return Told(settle(gettext(sentence) % values), True)


def table() -> list[list[str]]:
    """Return ``[expression, sentence in the active language]`` pairs for scripts; places are written ``{name}``."""
    return [
        [expression.pattern.replace("(?P<", "(?<"), PLACE.sub(r"{\1}", gettext(sentence))]
        for expression, sentence in PATTERNS
    ]
