"""Invalid specs that are refused before any request: the field and the message of each.

Each is a file, some with `--set` arguments. `field` is the dotted path of the one expected problem
("" for the whole file), `fragment` a part of its message, `line` its line in the file (None without
one, or for the command line).
"""

from dataclasses import dataclass

from support import public_keys

_SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000000"
_DES = f"{_SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.Compute/diskEncryptionSets/d"


@dataclass(frozen=True)
class BadSpec:
    """One spec, and why it is refused."""

    id: str
    text: bytes
    field: str
    fragment: str
    line: int | None = 1
    suffix: str = ".yaml"
    argv: tuple[str, ...] = ()

    @property
    def sets(self) -> list[str]:
        """The values of the `--set` options in `argv`."""
        return list(self.argv[1::2])


def _yaml(id_: str, text: str, field: str, fragment: str, line: int | None = 1) -> BadSpec:
    return BadSpec(id_, text.encode(), field, fragment, line)


def _json(id_: str, text: str, field: str, fragment: str, line: int | None = 1) -> BadSpec:
    return BadSpec(id_, text.encode(), field, fragment, line, ".json")


def _set(id_: str, assignment: str, field: str, fragment: str, text: str = "{}\n") -> BadSpec:
    return BadSpec(id_, text.encode(), field, fragment, None, argv=("--set", assignment))


def _key(id_: str, line: str, fragment: str) -> BadSpec:
    return _yaml(id_, f"ssh_keys:\n  - {line}\n", "ssh_keys.0", fragment, 2)


def _indent(text: str) -> str:
    return "".join(f"      {line}\n" for line in text.splitlines())


_TOO_MANY_TAGS = "tags:\n" + "".join(f"  t{number}: x\n" for number in range(45))
_BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\ntags: {t: *c}\n"
_TWIN = public_keys.ed25519_line()

_NAMES = [
    _yaml("name too long", f"name: {'a' * 64}\n", "name", "must be 1 to 63"),
    _yaml("name too long for its network", f"name: {'a' * 60}\n", "name", "at most 59"),
    _yaml("name too short", "name: ''\n", "name", "must be 1 to 63"),
    _yaml("name in capitals", "name: Demo\n", "name", "must be 1 to 63"),
    _yaml("name starts with a digit", "name: 1demo\n", "name", "start with a letter"),
    _yaml("name ends with a hyphen", "name: demo-\n", "name", "not end with '-'"),
    _yaml("name with underscore", "name: a_b\n", "name", "must be 1 to 63"),
    _yaml("name is a list", "name: [demo]\n", "name", "must be text"),
    _yaml("name with a line break", 'name: "demo\\n"\n', "name", "must be 1 to 63"),
    _json("name is a number", '{"name": 12}', "name", "must be text, put it in quotes"),
]

_MACHINE = [
    _yaml("non-CVM size", "size: Standard_NC40ads_H100_v5\n", "size", "not a confidential-GPU"),
    _yaml("CVM size without GPU", "size: Standard_DC4as_v5\n", "size", "only the NCC H100 v5"),
    _yaml(
        "non-CVM image",
        "image: Canonical:ubuntu-24_04-lts:server:latest\n",
        "image",
        "not made for confidential VMs",
    ),
    _yaml(
        "Windows image",
        "image: MicrosoftWindowsServer:windows-cvm:2022-datacenter-cvm:latest\n",
        "image",
        "Windows",
    ),
    _yaml("image alias", "image: Ubuntu2404\n", "image", "publisher:offer:sku:version"),
    _yaml("image version", "image: a:cvm:c:newest\n", "image", "not an image that can be used"),
    _yaml("community image", "image: /CommunityGalleries/g\n", "image", "/Images/IMAGE"),
    _yaml(
        "managed image",
        f"image: {_SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.Compute/images/i\n",
        "image",
        "managed image",
    ),
    _yaml("gallery image", f"image: {_SUBSCRIPTION}/x\n", "image", "write /subscriptions/ID"),
    _yaml("no region", "regions: []\n", "regions", "is empty"),
    _yaml("region twice", "regions: [eastus2, East US 2]\n", "regions", "same region twice"),
    _yaml("region with a sign", "regions: [east_us]\n", "regions.0", "is not a region"),
    _yaml("one region", "regions: eastus2\n", "regions", "must be a list"),
    _yaml("zone 4", "zone: 4\n", "zone", "1, 2 or 3"),
    _json("zone as a fraction", '{"zone": 1.0}', "zone", "must be text"),
    _yaml("secure boot maybe", "secure_boot: maybe\n", "secure_boot", "true or false"),
    _yaml("max price without spot", "max_price: 3\n", "max_price", "only for spot"),
    _yaml("max price 0", "spot: true\nmax_price: 0\n", "max_price", "above 0", 2),
    _yaml("max price -2", "spot: true\nmax_price: -2\n", "max_price", "above 0", 2),
    _yaml("max price infinite", "spot: true\nmax_price: inf\n", "max_price", "a number", 2),
    _yaml("max price NaN", "spot: true\nmax_price: nan\n", "max_price", "a number", 2),
    _yaml("max price too fine", "spot: true\nmax_price: 1.234567\n", "max_price", "5 decimals", 2),
    _yaml("max price in words", "spot: true\nmax_price: cheap\n", "max_price", "a number", 2),
    _yaml("TTL of zero", "ttl: 0h\n", "ttl", "must be from 10m to 30d"),
    _yaml("TTL too short", "ttl: 9m\n", "ttl", "must be from 10m to 30d"),
    _yaml("TTL too long", "ttl: 31d\n", "ttl", "must be from 10m to 30d"),
    _yaml("TTL without unit", "ttl: 8\n", "ttl", "as in 8h"),
    _yaml("TTL as a time of day", "ttl: 1:30\n", "ttl", "as in 8h"),
    _yaml("TTL negative", "ttl: -8h\n", "ttl", "as in 8h"),
    _json("TTL as a number", '{"ttl": 8}', "ttl", "as in 8h"),
]

_DISKS = [
    _yaml("disk too small", "os_disk:\n  size_gib: 29\n", "os_disk.size_gib", "at least 30", 2),
    _yaml("disk too large", "os_disk:\n  size_gib: 4096\n", "os_disk.size_gib", "at most 4095", 2),
    _yaml("disk in octal", "os_disk:\n  size_gib: 0o400\n", "os_disk.size_gib", "whole number", 2),
    _yaml("half a GiB", "os_disk: {size_gib: 64.5}\n", "os_disk.size_gib", "whole number"),
    _json("half a GiB in JSON", '{"os_disk": {"size_gib": 64.5}}', "os_disk.size_gib", "whole"),
    _yaml("disk type", "os_disk: {type: UltraSSD_LRS}\n", "os_disk.type", "Premium_LRS"),
    _yaml("encryption", "os_disk: {encryption: none}\n", "os_disk.encryption", "'full'"),
    _yaml("disk is a number", "os_disk: 256\n", "os_disk", "must be a mapping"),
    _yaml(
        "DES with state-only",
        f"os_disk:\n  encryption: state-only\n  encryption_set: {_DES}\n",
        "os_disk.encryption_set",
        "needs os_disk.encryption full",
        3,
    ),
    _yaml("DES by name", "os_disk: {encryption_set: mine}\n", "os_disk.encryption_set", "ARM id"),
    _yaml(
        "secure boot off with full encryption",
        "secure_boot: false\n",
        "secure_boot",
        "must be true with os_disk.encryption full",
    ),
    _yaml(
        "data disk empty", "data_disks:\n  - {size_gib: 0}\n", "data_disks.0.size_gib", "least 1", 2
    ),
    _yaml(
        "data disk without size",
        "data_disks:\n  - size_gib: 1\n  - type: Premium_LRS\n",
        "data_disks.1.size_gib",
        "is missing",
        3,
    ),
    _yaml(
        "data disk too large",
        "data_disks: [{size_gib: 32768}]\n",
        "data_disks.0.size_gib",
        "at most 32767",
    ),
    _yaml(
        "data disk of Premium v2",
        "data_disks: [{size_gib: 8, type: PremiumV2_LRS}]\n",
        "data_disks.0.type",
        "must be one of",
    ),
    _yaml("data disks as sizes", "data_disks: [64]\n", "data_disks.0", "must be a mapping"),
    _yaml(
        "nine data disks",
        f"data_disks: [{', '.join(['{size_gib: 8}'] * 9)}]\n",
        "data_disks",
        "at most 8",
    ),
]

_LOGIN = [
    *(
        _yaml(f"forbidden admin {name}", f"admin_user: {name}\n", "admin_user", "refused by Azure")
        for name in ("root", "admin", "administrator", "test", "user1", "1", "123", "a", "guest")
    ),
    _yaml("forbidden admin in JSON style", 'admin_user: "sys"\n', "admin_user", "refused by Azure"),
    _yaml("system user", "admin_user: www-data\n", "admin_user", "taken on every Ubuntu"),
    _yaml("admin with a capital", "admin_user: Azure\n", "admin_user", "must be 1 to 32"),
    _yaml("admin too long", f"admin_user: {'x' * 33}\n", "admin_user", "must be 1 to 32"),
    _key("weak RSA key", public_keys.rsa_line(1024), "RSA of 1024 bits"),
    _key("DSA key", public_keys.unsupported_line("ssh-dss"), "is a DSA key"),
    _key("ECDSA key", public_keys.ecdsa_line(), "is an ECDSA key"),
    _key(
        "security key",
        public_keys.unsupported_line("sk-ssh-ed25519@openssh.com"),
        "is a security-key (sk-) key",
    ),
    _key("certificate", public_keys.unsupported_line("ssh-rsa-cert-v01"), "is not an OpenSSH"),
    _key("half a key", _TWIN[:40], "is not a whole ssh-ed25519 key"),
    _key("key of the wrong kind", _TWIN.replace("ssh-ed25519", "ssh-rsa"), "not a whole ssh-rsa"),
    _key("key in words", '"my laptop"', "is not an OpenSSH public key"),
    _key("key file that is not there", "./no-such-key.pub", "cannot be read"),
    _key("folder for a key", "./", "is a folder"),
    _yaml(
        "private key given as public",
        "ssh_keys:\n  - |\n" + _indent(public_keys.private_key()),
        "ssh_keys.0",
        "is a private key",
        2,
    ),
    _yaml(
        "SSH key twice",
        f"ssh_keys:\n  - {_TWIN} one\n  - {_TWIN} two\n",
        "ssh_keys",
        "same key twice",
    ),
    _yaml("password", "password: hunter2\n", "password", "SSH key only"),
    _yaml("admin password", "admin_password: hunter2\n", "admin_password", "SSH key only"),
    _yaml("SSH from everywhere", "ssh_from: 0.0.0.0/0\n", "ssh_from", "ssh_from_anywhere: true"),
    _yaml("SSH from half the world", "ssh_from: 128.0.0.0/1\n", "ssh_from", "wider than /8"),
    _yaml("SSH from IPv6", "ssh_from: 2001:db8::/64\n", "ssh_from", "is IPv6"),
    _yaml("SSH from any IPv6", "ssh_from: ::/0\nssh_from_anywhere: true\n", "ssh_from", "is IPv6"),
    _yaml("SSH from a name", "ssh_from: example.com\n", "ssh_from", "must be `auto`"),
    _yaml(
        "anywhere without a network", "ssh_from_anywhere: true\n", "ssh_from_anywhere", "0.0.0.0/0"
    ),
]

_PLACE = [
    _yaml("subnet by name", "subnet: default\n", "subnet", "virtualNetworks/NAME/subnets/NAME"),
    _yaml("identity by name", "identities: [mine]\n", "identities.0", "must be `system`"),
    _yaml("identity twice", "identities: [system, System]\n", "identities", "identity twice"),
    _yaml("group ends with a dot", "resource_group: g.\n", "resource_group", "not end with '.'"),
    _yaml("group too long", f"resource_group: {'g' * 91}\n", "resource_group", "1 to 90"),
    _yaml("tags over the limit", _TOO_MANY_TAGS, "tags", "at most 42 fit"),
    _yaml(
        "tag name too long", f"tags:\n  ? {'x' * 513}\n  : y\n", f"tags.{'x' * 80}", "1 to 512", 2
    ),
    _yaml("tag value too long", f"tags:\n  a: {'x' * 257}\n", "tags.a", "may have 256", 2),
    _yaml("tag name with a sign", "tags: {a/b: x}\n", "tags.a/b", "Azure refuses"),
    _yaml("tag of ours", "tags: {Ccgpu-Run: x}\n", "tags.Ccgpu-Run", "ccgpu's own"),
    _yaml("tag of Azure", "tags: {azure-x: y}\n", "tags.azure-x", "keeps for itself"),
    _yaml("tag of Windows", "tags: {Windows: y}\n", "tags.Windows", "keeps for itself"),
    _yaml("tag twice but for case", "tags: {A: x, a: y}\n", "tags", "same tag twice"),
    _yaml("tag of a list", "tags: {a: [b]}\n", "tags.a", "must be text"),
    _yaml("tag with a control sign", 'tags: {a: "\\e[1m"}\n', "tags.a", "cannot be printed"),
    _json("tag of a number", '{"tags": {"a": 1}}', "tags.a", "must be text"),
    _yaml("tags as a list", "tags: [a=b]\n", "tags", "must be a mapping"),
]

_KEYS = [
    _yaml(
        "accelerated networking",
        "accelerated_networking: true\n",
        "accelerated_networking",
        "not supported by confidential-GPU sizes",
    ),
    _yaml("typo in a key", "secure_bot: true\n", "secure_bot", "did you mean secure_boot?"),
    _yaml("typo within", "os_disk:\n  sise_gib: 64\n", "os_disk.sise_gib", "mean size_gib?", 2),
    _yaml("key of another tool", "frobnicate: 1\n", "frobnicate", "is not a field"),
    _yaml("key of null", "frobnicate:\n", "frobnicate", "is not a field"),
    _yaml("region", "region: eastus2\n", "region", "is called regions"),
    _yaml("location", "location: eastus2\n", "location", "is called regions"),
    _yaml("vTPM off", "vtpm: false\n", "vtpm", "always on"),
    _yaml("encryption at host", "encryption_at_host: true\n", "encryption_at_host", "is refused"),
    _yaml("ephemeral disk", "os_disk: {ephemeral: true}\n", "os_disk.ephemeral", "managed disk"),
    _yaml("key in camel case", "acceleratedNetworking: 1\n", "acceleratedNetworking", "field"),
    _yaml("merge key", "<<: {spot: true}\n", "<<", "is not a field"),
]

_TEXT = [
    _yaml("empty", "", "", "is empty", None),
    _yaml("only a comment", "# nothing\n", "", "is empty", None),
    _yaml("not a mapping", "- name: demo\n", "", "is not a mapping"),
    _yaml("one word", "demo\n", "", "is not a mapping"),
    _yaml("YAML that ends", "name: [demo\n", "", "is not YAML: expected", 2),
    _yaml("tab", "os_disk:\n\tsize_gib: 64\n", "", "a tab cannot indent", 2),
    _yaml("object tag", "name: !!python/object/apply:os.system [id]\n", "name", "tags (!"),
    _yaml("tag of a core type", "name: !!str demo\n", "name", "tags (!"),
    _yaml("tagged name", "!!str name: demo\n", "", "tags (!"),
    _yaml("anchor", "regions: &r [eastus2]\n", "regions", "anchors and aliases"),
    _yaml("alias bomb", _BOMB, "a", "anchors and aliases"),
    _yaml("name that is a list", "? [a]\n: b\n", "", "not plain text"),
    _yaml("key twice", "spot: true\nspot: false\n", "spot", "is a duplicate, first on line 1", 2),
    _yaml("key twice within", "tags:\n  a: x\n  a: y\n", "tags.a", "first on line 2", 3),
    _yaml("two documents", "spot: true\n---\nspot: false\n", "", "more than one document", 2),
    _yaml("nested too deep", f"tags: {'[' * 30}{']' * 30}\n", "", "nests deeper than 20"),
    BadSpec("10 MB of YAML", b"a: 1\n" * 2_000_000, "", "larger than 256 KiB", None),
    BadSpec("nested without end", b"[" * 250_000, "", "nests deeper than 20"),
    BadSpec("not UTF-8", b"spot: true\nname: \xff\n", "", "is not UTF-8", 2),
    BadSpec("UTF-16", "name: demo\n".encode("utf-16"), "", "is not UTF-8"),
    BadSpec("NUL", b"spot: true\nname: a\0b\n", "", "NUL", 2),
    BadSpec("control character", b"spot: true\nname: a\x07b\n", "", "control character", 2),
    _json("JSON with a key twice", '{"spot": true,\n "spot": true}', "spot", "duplicate", 2),
    _json("JSON with NaN", '{"max_price": NaN}', "", "is not JSON"),
    _json("JSON with Infinity", '{"max_price": -Infinity}', "", "is not JSON"),
    _json("JSON that ends", '{"spot": true', "", "is not JSON: unexpected end"),
    _json("JSON with a comma too many", '{"spot": true,\n}', "", "name in double quotes", 2),
    _json("JSON without a colon", '{"spot" true}', "", "expected :"),
    _json("JSON with an end in a string", '{"spot', "", "unterminated string"),
    _json("JSON with more behind", "{}\n{}", "", "unexpected text after the end", 2),
    _json("JSON that is a list", "[1]", "", "is not a mapping"),
    _json("JSON nested too deep", f'{{"a": {"[" * 30}', "", "nests deeper than 20"),
    _json("JSON with a number of 5,000 digits", f'{{"zone": {"1" * 5000}}}', "", "not JSON"),
    BadSpec("JSON without a suffix", b'{"spot": tru}', "", "is not JSON", suffix=""),
]

_SETS = [
    _set("set a disk too small", "os_disk.size_gib=5", "os_disk.size_gib", "at least 30"),
    _set("set an unknown key", "os_disk.size=5", "os_disk.size", "did you mean size_gib?"),
    _set("set through a scalar", "size.x=5", "", "size is one value", "size: a\n"),
    _set("set a name in a list", "data_disks.x=5", "", "give an index", "data_disks: []\n"),
    _set("set beyond the end", "data_disks.1.size_gib=5", "", "has 0 entries"),
    _set("set nothing", "=5", "", "is not a field path"),
    _set("set with two dots", "os_disk..size_gib=5", "", "is not a field path"),
    _set("set half a list", "regions=[eastus2", "regions", "is not YAML"),
    _set("set an object", "tags={a: !!python/name:os.system x}", "tags.a", "tags (!"),
    _set("set a private field", "password=x", "password", "SSH key only"),
]

BAD_SPECS = [
    *_NAMES, *_MACHINE, *_DISKS, *_LOGIN, *_PLACE, *_KEYS, *_TEXT, *_SETS
]  # fmt: skip
