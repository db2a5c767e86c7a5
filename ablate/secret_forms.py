"""The forms of secrets: tokens of well-known services, private keys, and random values under a secret name."""

from __future__ import annotations

import re

HIDDEN = "***"

_TOKEN = re.compile(
    r"""(?<![A-Za-z0-9_])(?:
        gh[pousr]_[A-Za-z0-9]{20,} | github_pat_\w{20,} | (?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9]) | AIza[\w\-]{35}
        | xox[a-z]-[\w\-]{10,} | xapp-[\w\-]{20,} | AGE-SECRET-KEY-1[A-Z0-9]{50,}
        | eyJ[\w\-]{8,}\.[\w\-]{4,}(?:\.[\w\-]*)? | npm_[A-Za-z0-9]{36}
        | (?:dckr_pat_|lin_api_)[\w\-]{20,} | shp(?:at|ca|pa|ss)_[0-9a-f]{32} | (?:bot)?[0-9]{8,10}:AA[\w\-]{33}(?!\w)
        | (?P<loose>(?:hf_|sk-|[sr]k_live_|[sr]k_test_|glpat-|pypi-|dapi|dop_v1_|ya29\.|SG\.|hv[bs]\.|whsec_|ntn_|gsk_
            |r8_|nvapi-|pplx-|wandb_v1_|xai-|tskey-|dp\.\w\w\.|PMAK-|CFPAT-|ATATT|sntrys_|figd_|glsa_|HRKU-|sq0csp-
            )[\w\-.]{16,})
    )""",
    re.VERBOSE,
)
_STARTS = (
    *("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "AKIA", "ASIA", "AIza", "xox", "xapp-", "eyJ", "npm_"),
    *("dckr_pat_", "lin_api_", "shp", ":AA", "AGE-SECRET-KEY-"),
    *("hf_", "sk-", "k_live_", "k_test_", "glpat-", "pypi-", "dapi", "dop_v1_", "ya29.", "SG."),
    *(
        "hvs.",
        "hvb.",
        "whsec_",
        "ntn_",
        "gsk_",
        "r8_",
        "nvapi-",
        "pplx-",
        "wandb_v1_",
        "xai-",
        "tskey-",
        "dp.",
        "PMAK-",
    ),
    *("CFPAT-", "ATATT", "sntrys_", "figd_", "glsa_", "HRKU-", "sq0csp-"),
)
_BASE64_LINES = r"(?:(?:\s|\\[nr])+[+\-]?\s?[A-Za-z0-9+/=]{16,76}(?![A-Za-z0-9+/=]))+"
_PRIVATE_KEY = re.compile(
    r"(?P<kept>-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----)"
    rf"(?:(?:(?!-----BEGIN )[\s\S]){{1,20000}}?(?P<end>-----END)|{_BASE64_LINES})"
)
_HTTP = re.compile(
    r"(?P<kept>\b(?:Bearer|Basic|Authorization[\"']?:\s*[\"']?[\w\-]{1,30})\s+)(?P<value>[\w+/.~\-]{16,}={0,2})",
    re.IGNORECASE,
)
_PHRASE = r"passw(?:or)?d|passphrase"
_KEY = r"token|secret|credentials?|(?:api|access|secret|private|account|auth|encryption|signing|master)[_\- ]?key"
_WEBHOOK = re.compile(
    r"(?P<kept>\b(?:hooks\.slack\.com/services/\w+/\w+|discord(?:app)?\.com/api/webhooks/\d+)/)[\w\-]{16,}"
)
_COOKIES = re.compile(
    r"""(?P<kept>\b(?:cookie["']?[\s:=]{1,4}|curl\b[^\n]{0,200}?\s-b\s+)["']?)(?P<value>[^\n"'\\]+)""", re.IGNORECASE
)
_COOKIE = re.compile(r"(?:(?<==)|^)[^\s;,=]+")
_ELEMENT = re.compile(
    rf"(?P<kept><[\w.:\-]{{0,40}}?(?:(?P<password>{_PHRASE})|{_KEY})>)(?P<value>[^<>\s]+)(?=</)", re.IGNORECASE
)
_ARGUMENTS = r"[ \t](?:[^\n;|&]{0,200}?[ \t])??"
_QUOTED_ARGUMENTS = r"[ \t](?:[^\n]{0,200}?[ \t])??"
_PROGRAM = re.compile(
    rf"""(?P<kept>(?:\bsshpass\s+-p\s* | \bcurl\b[^\n]{{0,200}}?\s(?:-u\s*|--user[\s=])["']?[^\s:"']{{1,80}}:
            | \bhttps?{_QUOTED_ARGUMENTS}-a\s+["']?[^\s:"']{{1,80}}: | \bredis-cli\b[^\n]{{0,200}}?\s-a\s+
            | \b(?:mysql(?:dump|admin|import)?|mariadb){_QUOTED_ARGUMENTS}-p | \bsqlplus\s+[^\s/]{{1,80}}/
            | \b(?:(?:docker|podman|nerdctl|skopeo|oras|oc|az|helm\s+registry)\s+login){_QUOTED_ARGUMENTS}-p\s+
            | \bmongo(?:sh|dump|restore)?{_ARGUMENTS}-p\s+
            | (?<![\w.])(?:zip|unzip|sqlcmd|bcp){_ARGUMENTS}(?-i:-P)\s*
            | (?<![\w.])(?:7z[ar]?|(?:un)?rar){_ARGUMENTS}-(?:hp|p)
            | \b(?:smb\w+|rpcclient){_ARGUMENTS}(?-i:-U)\s*["']?[^\s%"']{{1,80}}%
            | \blftp{_ARGUMENTS}-u\s+[^\s,]{{1,80}},
            | \bopenssl{_ARGUMENTS}-k\s+ | \s-pass(?:in|out)?\s+pass: | \s-(?:store|key)pass\s+
            | \bldap(?:search|modify|add|delete|passwd|whoami|compare){_ARGUMENTS}(?-i:-w)\s*
            | \bmachine\s+[\w\-]{{1,80}}\.\S{{1,80}}\s+login\s+\S{{1,80}}\s+password\s+
            | \bjdbc:oracle:thin:[^\s/@]{{1,80}}/
            | (?:^|(?<=\s))[\w.*\-]{{1,80}}:(?:543[0-9]|6432|\*):[^\s:]{{1,63}}:[^\s:]{{1,63}}:(?![\d.]+\s)  # .pgpass
            | (?P<entry>\blogin\s+\S{{1,80}}\s+password\s+  # that of .netrc
                | \b(?:wandb|vault)\s+login\s+(?:--\S+\s+)?
                | \bconfigure\s+set\s+\S{{0,40}}(?:secret|token)\S{{0,40}}\s+
                | \bAWS4-HMAC-SHA256\s[^\n]{{0,300}}?\bSignature=))["']?)
        (?P<value>[^\s"'\\]{{4,}})""",
    re.IGNORECASE | re.VERBOSE,
)
_PROGRAMS = (
    *("sshpass", "curl", "login", "mysql", "mariadb", "sqlplus", " -a ", "mongo", "zip", "sqlcmd", "bcp", "7z", "rar "),
    *("smb", "rpcclient", "lftp", "openssl", "pass ", "-passin", "-passout", "ldap", "jdbc:oracle:", ":543", ":6432:"),
    *(":*:", "configure", "aws4-hmac-"),
)
_PAIR = re.compile(
    rf"""(?P<kept>[(\[]\s?["'][\w\-]{{0,40}}?(?:(?P<password>{_PHRASE})|{_KEY})["'],\s{{0,3}}b?["'])
         (?P<value>[^\s"'\\]+)(?=["']\s?[)\]])""",
    re.IGNORECASE | re.VERBOSE,
)
_MAY_BE_PAIR = re.compile(rf"(?:{_PHRASE}|{_KEY})[\"'],")

_QUOTE = r"(?:\\?[\"'])?"
_ANNOTATION = rf":\s?+(?![\w.]*(?:{_PHRASE}|{_KEY}))[\w.\[\]| ]{{1,40}}\s?=\s?"
_ASSIGNMENT = re.compile(
    rf"(?P<kept>(?:(?P<password>{_PHRASE}|(?<=;)pwd)|{_KEY}){_QUOTE}\]?"
    rf"(?P<sign>{_ANNOTATION}|\s{{0,3}}(?:[:=]|=>|:=)\s{{0,3}})(?:b(?=[\"']))?(?P<quote>\\?[\"'])?)"
    rf"(?![\w.\-]*(?:{_PHRASE}|{_KEY})\w*[\"']?\s?[:=])"  # another assignment
    r"(?P<value>(?(quote)[^\"'\\\s]+(?=\\?[\"'])|[^\s\"'\\,;&|<>\[\]{}]+))",
    re.IGNORECASE,
)
_COMMAND_OPTION = re.compile(
    rf"""(?P<kept>--(?:\w+[_\-]){{0,4}}(?:(?P<password>{_PHRASE})|{_KEY}){_QUOTE}(?:\s{{1,3}}|\s?=\s?|,\s{{0,3}}){_QUOTE})
         (?P<value>[^\s"'\\,\]\[)(<>{{}}$*=\-][^\s"'\\,\]\[)(<>]{{3,}})""",
    re.IGNORECASE | re.VERBOSE,
)
_NAMES = ("password", "passwd", "passphrase", "pwd", "token", "secret", "credential", "credentials", "key")
_MAY_BE_ASSIGNED = [re.compile(rf"{name}{_QUOTE}\]?\s{{0,3}}[:=]") for name in _NAMES]
_MAY_BE_OPTION = re.compile(rf"--[\w\-]*(?:{'|'.join(_NAMES)})")
_SCHEMES = ("bearer", "basic", r"authorization[\"']?:\s*[\"']?[\w\-]+")
_MAY_BE_HTTP = [re.compile(rf"{scheme}\s+[\w+/.~\-]{{16}}") for scheme in _SCHEMES]
"""Searches in lower-case text, which begin with a word and therefore are ten times faster than the patterns above."""
_FIELD = re.compile(rf"(?:.*[^a-z])?(?:(?P<password>{_PHRASE})|{_KEY})", re.IGNORECASE | re.DOTALL)

_PLACEHOLDERS = (HIDDEN, "$", "{", "<", "%", "[", "...")
_CODE = re.compile(r"[a-z_]\w*(?:\.\w+)+|[a-z_]+|.*[()].*", re.IGNORECASE)
_METAVAR = re.compile(r"[A-Z_]+")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_WORDS = re.compile(r"(?:[A-Z]?[a-z]{2,}+|[A-Z]++(?![a-z]))*+[0-9]*")
_CHANGE = re.compile(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[A-Z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])")
_SHORTEST_RANDOM = 16


def mask_forms(text: str) -> str:
    """Return a text with `***` in place of the secrets that their form, or the name before them, gives away.

    Words, numbers and identifiers stay, such as `mask_token=cls` and `num_tokens=512`.
    """
    if any(start in text for start in _STARTS):
        text = _TOKEN.sub(_masked_token, text)
    if "PRIVATE KEY" in text:
        text = _PRIVATE_KEY.sub(lambda found: f"{found['kept']}{HIDDEN}{found['end'] or ''}", text)
    lower = text.lower()
    if any(pattern.search(lower) for pattern in _MAY_BE_HTTP):
        text = _HTTP.sub(_masked_credentials, text)
    if any(pattern.search(lower) for pattern in _MAY_BE_ASSIGNED):
        text = _ASSIGNMENT.sub(_masked_assignment, text)
    if "hooks.slack" in text or "/webhooks/" in text:
        text = _WEBHOOK.sub(rf"\g<kept>{HIDDEN}", text)
    if "cookie" in lower or "curl" in lower:
        text = _COOKIES.sub(_masked_cookies, text)
    if "</" in text:
        text = _ELEMENT.sub(_masked_element, text)
    return _mask_arguments(text, lower)


def _mask_arguments(text: str, lower: str) -> str:
    """Return a text without the secrets in command lines, and in pairs of a name and a value."""
    if any(program in lower for program in _PROGRAMS):
        text = _PROGRAM.sub(_masked_argument, text)
    if _MAY_BE_PAIR.search(lower):
        text = _PAIR.sub(_masked_pair, text)
    if _MAY_BE_OPTION.search(lower):
        text = _COMMAND_OPTION.sub(_masked_option, text)
    return text


def is_secret_field(name: str, value: str) -> bool:
    """Return whether a named value is a secret: any text under the name of a password, random ones under other names.

    Args:
        name: The name, such as `db_password`.
        value: The value.
    """
    found = _FIELD.fullmatch(name)
    return bool(found and (_is_given(value) if found["password"] else is_random(value)))


def _masked_token(found: re.Match[str]) -> str:
    is_word = found["loose"] and not _has_random_part(found[0])  # such as sk-learn-contrib-project
    return found[0] if is_word else HIDDEN


def _masked_credentials(found: re.Match[str]) -> str:
    return f"{found['kept']}{HIDDEN}" if is_random(found["value"]) else found[0]


def _masked_cookies(found: re.Match[str]) -> str:
    values = _COOKIE.sub(lambda one: HIDDEN if is_random(one[0]) else one[0], found["value"])
    return f"{found['kept']}{values}"


def _masked_element(found: re.Match[str]) -> str:
    is_secret = _is_given(found["value"]) if found["password"] else is_random(found["value"])
    return f"{found['kept']}{HIDDEN}" if is_secret else found[0]


def _masked_argument(found: re.Match[str]) -> str:
    is_secret = is_random(found["value"]) if found["entry"] else _is_given(found["value"])
    return f"{found['kept']}{HIDDEN}" if is_secret else found[0]


def _masked_pair(found: re.Match[str]) -> str:
    is_password = found["password"] and _is_given(found["value"]) and not _CODE.fullmatch(found["value"])
    return f"{found['kept']}{HIDDEN}" if is_password or is_random(found["value"]) else found[0]


def _masked_option(found: re.Match[str]) -> str:
    is_secret = not _METAVAR.fullmatch(found["value"]) if found["password"] else is_random(found["value"])
    return f"{found['kept']}{HIDDEN}" if is_secret else found[0]


def _masked_assignment(found: re.Match[str]) -> str:
    value, name = found["value"], found["password"]
    if not name:
        is_secret = is_random(value)
    elif found["quote"] or (name.isupper() and found["sign"] == "="):  # a literal, or a line of an environment
        is_secret = _is_given(value) and "(" not in value
    else:
        is_plain = _CODE.fullmatch(value) or not any(map(str.isalpha, value)) or not any(map(str.isdecimal, value))
        is_secret = _is_given(value) and not is_plain
    return f"{found['kept']}{HIDDEN}" if is_secret else found[0]


def _is_given(value: str) -> bool:
    """Return whether a text under the name of a password is one, and not a placeholder."""
    return len(value) > 3 and not value.startswith(_PLACEHOLDERS)


def is_random(value: str) -> bool:
    """Return whether a text looks like a generated key, and not like words, names with numbers, dates or versions."""
    return len(value) >= _SHORTEST_RANDOM and (bool(_UUID.fullmatch(value)) or _has_random_part(value))


def _has_random_part(value: str) -> bool:
    parts = re.split(r"[^A-Za-z0-9]+", value)
    return any(len(one) > 7 and not _WORDS.fullmatch(one) and len(_CHANGE.findall(one)) > 2 for one in parts)
