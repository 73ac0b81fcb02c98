"""``clear``, ``help``, ``history``, ``true``, ``false``, ``:``, ``exit``, ``type``/``which``: about the console itself."""

from cluster.shell.interpreter import Context

NAMES = ("clear", "help", "history", "true", "false", ":", "exit", "which", "type")

_HELP = """This console runs inside the cluster's world. Nothing you type reaches a real machine.

  kubectl    the cluster's client              curl       plain HTTP requests to the API server
  etcdctl    the etcd members                  base64     -d decodes
  etcdutl    snapshots of etcd as files        scp        files to and from a control-plane host
  ssh NODE   a node's iptables, nft, ipvsadm, ipset, conntrack, ip, ss, curl, ping; exit
             on a control-plane host its files, too: /etc/kubernetes/manifests, /var/lib/etcd
             there, too: kubeadm upgrade plan|apply|node, apt-get install kubelet=…, systemctl restart kubelet
  grep sed cut tr sort uniq wc head tail cat   on texts and pipes
  echo printf seq sleep date                   small things
  ls rm cp mv tee touch                        files of this session
  export unset env history clear               the session

Words, 'quotes', "quotes", $VAR, $(commands), *.yaml, | && || ; > >> < 2>&1 and <<EOF work as in bash.
Ctrl-C ends what runs.
"""


def run(ctx: Context) -> int:
    match ctx.name:
        case "clear":
            ctx.terminal.clear = True
        case "help":
            ctx.out(_HELP)
        case "history":
            ctx.out("".join(f"{number:5}  {line}\n" for number, line in enumerate(ctx.session.history, 1)))
        case "false":
            return 1
        case "exit":
            if ctx.session.host:
                ctx.out(f"logout\nConnection to {ctx.session.host} closed.\n")
                ctx.session.host = ""
                return 0
            ctx.err("exit: this console has nowhere to go; close the tab instead\n")
            return int(ctx.args[0]) & 255 if ctx.args and ctx.args[0].isdigit() else 0
        case "which" | "type":
            return _which(ctx)
    return 0


def _which(ctx: Context) -> int:
    status = 0
    for name in ctx.args:
        if name not in ctx.machine.commands:
            if ctx.name == "type":
                ctx.err(f"bash: type: {name}: not found\n")
            status = 1
        elif ctx.name == "type":
            ctx.out(f"{name} is /usr/bin/{name}\n")
        else:
            ctx.out(f"/usr/bin/{name}\n")
    return status
