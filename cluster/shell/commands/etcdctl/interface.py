"""What ``etcdctl`` can be told: its commands, how they are used, their flags and what each is for. The words are the tool's own; ``help`` prints them.

A row: the command, its usage, one line on it, the rest of the description, its flags as (name, letter, default as it is printed, usage).
``[=false]`` is a switch, ``="…"`` a text, ``=5s`` a duration, ``=0`` a number, ``=[…]`` a list. Upstream: etcdctl 3.4 and 3.5, ``-h``.
"""

FlagRow = tuple[str, str, str, str]
Row = tuple[str, str, str, str, tuple[FlagRow, ...]]

GLOBAL: tuple[FlagRow, ...] = (
    ('cacert', '', '=""', 'verify certificates of TLS-enabled secure servers using this CA bundle'),
    ('cert', '', '=""', 'identify secure client using this TLS certificate file'),
    ('command-timeout', '', '=5s', 'timeout for short running command (excluding dial timeout)'),
    ('debug', '', '[=false]', 'enable client-side debug logging'),
    ('dial-timeout', '', '=2s', 'dial timeout for client connections'),
    ('discovery-srv', 'd', '=""', 'domain name to query for SRV records describing cluster endpoints'),
    ('discovery-srv-name', '', '=""', 'service name to query when using DNS discovery'),
    ('endpoints', '', '=[127.0.0.1:2379]', 'gRPC endpoints'),
    ('hex', '', '[=false]', 'print byte strings as hex encoded strings'),
    ('insecure-discovery', '', '[=true]', 'accept insecure SRV records describing cluster endpoints'),
    ('insecure-skip-tls-verify', '', '[=false]', 'skip server certificate verification (CAUTION: this option should be enabled only for testing purposes)'),
    ('insecure-transport', '', '[=true]', 'disable transport security for client connections'),
    ('keepalive-time', '', '=2s', 'keepalive time for client connections'),
    ('keepalive-timeout', '', '=6s', 'keepalive timeout for client connections'),
    ('key', '', '=""', 'identify secure client using this TLS key file'),
    ('password', '', '=""', "password for authentication (if this option is used, --user option shouldn't include password)"),
    ('user', '', '=""', 'username[:password] for authentication (prompt if password is not supplied)'),
    ('write-out', 'w', '="simple"', 'set the output format (fields, json, protobuf, simple, table)'),
)

ROWS: tuple[Row, ...] = (
    ('alarm', 'alarm <subcommand>', 'Alarm related commands', '', ()),
    ('alarm disarm', 'alarm disarm', 'Disarms all alarms', '', ()),
    ('alarm list', 'alarm list', 'Lists all alarms', '', ()),
    ('auth', 'auth <enable or disable>', 'Enable or disable authentication', '', ()),
    ('auth disable', 'auth disable', 'Disables authentication', '', ()),
    ('auth enable', 'auth enable', 'Enables authentication', '', ()),
    ('check', 'check <subcommand>', 'commands for checking properties of the etcd cluster', '', ()),
    ('check datascale', 'check datascale [options]', 'Check the memory usage of holding data for different workloads on a given server endpoint.', 'If no endpoint is provided, localhost will be used. If multiple endpoints are provided, first endpoint will be used.', (
         ('auto-compact', '', '[=false]', 'Compact storage with last revision after test is finished.'),
         ('auto-defrag', '', '[=false]', 'Defragment storage after test is finished.'),
         ('load', '', '="s"', "The datascale check's workload model. Accepted workloads: s(small), m(medium), l(large), xl(xLarge)"),
         ('prefix', '', '="/etcdctl-check-datascale/"', "The prefix for writing the datascale check's keys."),
     )),
    ('check perf', 'check perf [options]', 'Check the performance of the etcd cluster', '', (
         ('auto-compact', '', '[=false]', 'Compact storage with last revision after test is finished.'),
         ('auto-defrag', '', '[=false]', 'Defragment storage after test is finished.'),
         ('load', '', '="s"', "The performance check's workload model. Accepted workloads: s(small), m(medium), l(large), xl(xLarge)"),
         ('prefix', '', '="/etcdctl-check-perf/"', "The prefix for writing the performance check's keys."),
     )),
    ('compaction', 'compaction [options] <revision>', 'Compacts the event history in etcd', '', (
         ('physical', '', '[=false]', "'true' to wait for compaction to physically remove all old revisions"),
     )),
    ('defrag', 'defrag', 'Defragments the storage of the etcd members with given endpoints', '', (
         ('cluster', '', '[=false]', 'use all endpoints from the cluster member list'),
         ('data-dir', '', '=""', 'Optional. If present, defragments a data directory not in use by etcd.'),
     )),
    ('del', 'del [options] <key> [range_end]', 'Removes the specified key or range of keys [key, range_end)', '', (
         ('from-key', '', '[=false]', 'delete keys that are greater than or equal to the given key using byte compare'),
         ('prefix', '', '[=false]', 'delete keys with matching prefix'),
         ('prev-kv', '', '[=false]', 'return deleted key-value pairs'),
     )),
    ('elect', 'elect <election-name> [proposal]', 'Observes and participates in leader election', '', (
         ('listen', 'l', '[=false]', 'observation mode'),
     )),
    ('endpoint', 'endpoint <subcommand>', 'Endpoint related commands', '', (
         ('cluster', '', '[=false]', 'use all endpoints from the cluster member list'),
     )),
    ('endpoint hashkv', 'endpoint hashkv', 'Prints the KV history hash for each endpoint in --endpoints', '', (
         ('rev', '', '=0', 'maximum revision to hash (default: all revisions)'),
     )),
    ('endpoint health', 'endpoint health', 'Checks the healthiness of endpoints specified in `--endpoints` flag', '', ()),
    ('endpoint status', 'endpoint status', 'Prints out the status of endpoints specified in `--endpoints` flag', 'When --write-out is set to simple, this command prints out comma-separated status lists for each endpoint.\nThe items in the lists are endpoint, ID, version, db size, is leader, is learner, raft term, raft index, raft applied index, errors.', ()),
    ('get', 'get [options] <key> [range_end]', 'Gets the key or a range of keys', '', (
         ('consistency', '', '="l"', 'Linearizable(l) or Serializable(s)'),
         ('from-key', '', '[=false]', 'Get keys that are greater than or equal to the given key using byte compare'),
         ('keys-only', '', '[=false]', 'Get only the keys'),
         ('limit', '', '=0', 'Maximum number of results'),
         ('order', '', '=""', 'Order of results; ASCEND or DESCEND (ASCEND by default)'),
         ('prefix', '', '[=false]', 'Get keys with matching prefix'),
         ('print-value-only', '', '[=false]', 'Only write values when using the "simple" output format'),
         ('rev', '', '=0', 'Specify the kv revision'),
         ('sort-by', '', '=""', 'Sort target; CREATE, KEY, MODIFY, VALUE, or VERSION'),
     )),
    ('lease', 'lease <subcommand>', 'Lease related commands', '', ()),
    ('lease grant', 'lease grant <ttl>', 'Creates leases', '', ()),
    ('lease keep-alive', 'lease keep-alive [options] <leaseID>', 'Keeps leases alive (renew)', '', (
         ('once', '', '[=false]', 'Resets the keep-alive time to its original value and exits immediately'),
     )),
    ('lease list', 'lease list', 'List all active leases', '', ()),
    ('lease revoke', 'lease revoke <leaseID>', 'Revokes leases', '', ()),
    ('lease timetolive', 'lease timetolive <leaseID> [options]', 'Get lease information', '', (
         ('keys', '', '[=false]', 'Get keys attached to this lease'),
     )),
    ('lock', 'lock <lockname> [exec-command arg1 arg2 ...]', 'Acquires a named lock', '', (
         ('ttl', '', '=10', 'timeout for session'),
     )),
    ('make-mirror', 'make-mirror [options] <destination>', 'Makes a mirror at the destination etcd cluster', '', (
         ('dest-cacert', '', '=""', 'Verify certificates of TLS enabled secure servers using this CA bundle'),
         ('dest-cert', '', '=""', 'Identify secure client using this TLS certificate file for the destination cluster'),
         ('dest-insecure-transport', '', '[=true]', 'Disable transport security for client connections'),
         ('dest-key', '', '=""', 'Identify secure client using this TLS key file'),
         ('dest-prefix', '', '=""', 'destination prefix to mirror a prefix to a different prefix in the destination cluster'),
         ('no-dest-prefix', '', '[=false]', 'mirror key-values to the root of the destination cluster'),
         ('prefix', '', '=""', 'Key-value prefix to mirror'),
     )),
    ('member', 'member <subcommand>', 'Membership related commands', '', ()),
    ('member add', 'member add <memberName> [options]', 'Adds a member into the cluster', '', (
         ('learner', '', '[=false]', 'indicates if the new member is raft learner'),
         ('peer-urls', '', '=""', 'comma separated peer URLs for the new member.'),
     )),
    ('member list', 'member list', 'Lists all members in the cluster', 'When --write-out is set to simple, this command prints out comma-separated member lists for each endpoint.\nThe items in the lists are ID, Status, Name, Peer Addrs, Client Addrs, Is Learner.', ()),
    ('member promote', 'member promote <memberID>', 'Promotes a non-voting member in the cluster', 'Promotes a non-voting learner member to a voting one in the cluster.', ()),
    ('member remove', 'member remove <memberID>', 'Removes a member from the cluster', '', ()),
    ('member update', 'member update <memberID> [options]', 'Updates a member in the cluster', '', (
         ('peer-urls', '', '=""', 'comma separated peer URLs for the updated member.'),
     )),
    ('migrate', 'migrate', 'Migrates keys in a v2 store to a mvcc store', '', (
         ('data-dir', '', '=""', 'Path to the data directory'),
         ('no-ttl', '', '[=false]', 'Do not convert TTL keys'),
         ('transformer', '', '=""', 'Path to the user-provided transformer program'),
         ('wal-dir', '', '=""', 'Path to the WAL directory'),
     )),
    ('move-leader', 'move-leader <transferee-member-id>', 'Transfers leadership to another etcd cluster member.', '', ()),
    ('put', 'put [options] <key> <value> (<value> can also be given from stdin)', 'Puts the given key into the store', "Puts the given key into the store.\n\nWhen <value> begins with '-', <value> is interpreted as a flag.\nInsert '--' for workaround:\n\n$ put <key> -- <value>\n$ put -- <key> <value>\n\nIf <value> isn't given as a command line argument and '--ignore-value' is not specified,\nthis command tries to read the value from standard input.\n\nIf <lease> isn't given as a command line argument and '--ignore-lease' is not specified,\nthis command tries to read the value from standard input.\n\nFor example,\n$ cat file | put <key>\nwill store the content of the file to <key>.", (
         ('ignore-lease', '', '[=false]', 'updates the key using its current lease'),
         ('ignore-value', '', '[=false]', 'updates the key using its current value'),
         ('lease', '', '="0"', 'lease ID (in hexadecimal) to attach to the key'),
         ('prev-kv', '', '[=false]', 'return the previous key-value pair before modification'),
     )),
    ('role', 'role <subcommand>', 'Role related commands', '', ()),
    ('role add', 'role add <role name>', 'Adds a new role', '', ()),
    ('role delete', 'role delete <role name>', 'Deletes a role', '', ()),
    ('role get', 'role get <role name>', 'Gets detailed information of a role', '', ()),
    ('role grant-permission', 'role grant-permission [options] <role name> <permission type> <key> [endkey]', 'Grants a key to a role', '', (
         ('from-key', '', '[=false]', 'grant a permission of keys that are greater than or equal to the given key using byte compare'),
         ('prefix', '', '[=false]', 'grant a prefix permission'),
     )),
    ('role list', 'role list', 'Lists all roles', '', ()),
    ('role revoke-permission', 'role revoke-permission <role name> <key> [endkey]', 'Revokes a key from a role', '', (
         ('from-key', '', '[=false]', 'revoke a permission of keys that are greater than or equal to the given key using byte compare'),
         ('prefix', '', '[=false]', 'revoke a prefix permission'),
     )),
    ('snapshot', 'snapshot <subcommand>', 'Manages etcd node snapshots', '', ()),
    ('snapshot restore', 'snapshot restore <filename> [options]', 'Restores an etcd member snapshot to an etcd directory', '', (
         ('data-dir', '', '=""', 'Path to the data directory'),
         ('initial-advertise-peer-urls', '', '="http://localhost:2380"', "List of this member's peer URLs to advertise to the rest of the cluster"),
         ('initial-cluster', '', '="default=http://localhost:2380"', 'Initial cluster configuration for restore bootstrap'),
         ('initial-cluster-token', '', '="etcd-cluster"', 'Initial cluster token for the etcd cluster during restore bootstrap'),
         ('name', '', '="default"', 'Human-readable name for this member'),
         ('skip-hash-check', '', '[=false]', 'Ignore snapshot integrity hash value (required if copied from data directory)'),
         ('wal-dir', '', '=""', 'Path to the WAL directory (use --data-dir if none given)'),
     )),
    ('snapshot save', 'snapshot save <filename>', 'Stores an etcd node backend snapshot to a given file', '', ()),
    ('snapshot status', 'snapshot status <filename>', 'Gets backend snapshot status of a given file', 'When --write-out is set to simple, this command prints out comma-separated status lists for each endpoint.\nThe items in the lists are hash, revision, total keys, total size.', ()),
    ('txn', 'txn [options]', 'Txn processes all the requests in one transaction', '', (
         ('interactive', 'i', '[=false]', 'Input transaction in interactive mode'),
     )),
    ('user', 'user <subcommand>', 'User related commands', '', ()),
    ('user add', 'user add <user name or user:password> [options]', 'Adds a new user', '', (
         ('interactive', '', '[=true]', 'Read password from stdin instead of interactive terminal'),
         ('new-user-password', '', '=""', 'Supply password from the command line flag'),
         ('no-password', '', '[=false]', 'Create a user without password (CN based auth only)'),
     )),
    ('user delete', 'user delete <user name>', 'Deletes a user', '', ()),
    ('user get', 'user get <user name> [options]', 'Gets detailed information of a user', '', (
         ('detail', '', '[=false]', 'Show permissions of roles granted to the user'),
     )),
    ('user grant-role', 'user grant-role <user name> <role name>', 'Grants a role to a user', '', ()),
    ('user list', 'user list', 'Lists all users', '', ()),
    ('user passwd', 'user passwd <user name> [options]', 'Changes password of user', '', (
         ('interactive', '', '[=true]', 'If true, read password from stdin instead of interactive terminal'),
     )),
    ('user revoke-role', 'user revoke-role <user name> <role name>', 'Revokes a role from a user', '', ()),
    ('version', 'version', 'Prints the version of etcdctl', '', ()),
    ('watch', 'watch [options] [key or prefix] [range_end] [--] [exec-command arg1 arg2 ...]', 'Watches events stream on keys or prefixes', '', (
         ('interactive', 'i', '[=false]', 'Interactive mode'),
         ('prefix', '', '[=false]', 'Watch on a prefix if prefix is set'),
         ('prev-kv', '', '[=false]', 'get the previous key-value pair before the event happens'),
         ('rev', '', '=0', 'Revision to start watching'),
     )),
)
