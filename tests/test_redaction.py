"""Secrets are recognised by their form, and nothing else is changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.redaction import mask_fields, mask_file, mask_secrets, mask_tokens
from ablate.studies.recipe import Recipe
from ablate.studies.workload import find_workload

RANDOM = "Zq06difftok9xK7pW3vB"
KEY = f"-----BEGIN RSA PRIVATE KEY-----\n{'MIIEpAIBAAKCAQEA0Z3VS5JJcds3xfn' * 2}\nyPB=\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f'API_TOKEN = "{RANDOM}"', 'API_TOKEN = "***"'),
        (f"+aws_secret_access_key: {RANDOM}", "+aws_secret_access_key: ***"),
        ("secret=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "secret=***"),
        (f"Authorization: Bearer {RANDOM}", "Authorization: Bearer ***"),
        (f"Authorization: Basic {RANDOM}==", "Authorization: Basic ***"),
        (f"authorization: token {RANDOM}", "authorization: token ***"),
        (f"sshpass -p {RANDOM} ssh h", "sshpass -p *** ssh h"),
        (f"curl -s -u me:{RANDOM} https://h", "curl -s -u me:*** https://h"),
        (f"curl --user 'me:{RANDOM}' https://h", "curl --user 'me:***' https://h"),
        (f"http -a me:{RANDOM} https://h", "http -a me:*** https://h"),
        ("mysql -u root -phunter2 runs", "mysql -u root -p*** runs"),
        ("redis-cli -h r -a hunter2 ping", "redis-cli -h r -a *** ping"),
        (f"docker login -u me -p {RANDOM} h", "docker login -u me -p *** h"),
        ("sqlplus me/hunter2 x", "sqlplus me/*** x"),
        (f"wandb login --relogin {'7fd3a9c1b2' * 4}", "wandb login --relogin ***"),
        (f"Cookie: theme=dark; session={RANDOM}", "Cookie: theme=dark; session=***"),
        (f"Set-Cookie: sid={RANDOM}; Path=/", "Set-Cookie: sid=***; Path=/"),
        (f"curl -b 'session={RANDOM}' https://h", "curl -b 'session=***' https://h"),
        (f"{{'Authorization': 'ApiKey {RANDOM}'}}", "{'Authorization': 'ApiKey ***'}"),
        ("<password>hunter2</password>", "<password>***</password>"),
        (f"<api_key>{RANDOM}</api_key>", "<api_key>***</api_key>"),
        ("Server=h;UID=me;PWD=hunter2;", "Server=h;UID=me;PWD=***;"),
        (f"Config(token=b'{RANDOM}')", "Config(token=b'***')"),
        (f"https://discord.com/api/webhooks/1234/{RANDOM}", "https://discord.com/api/webhooks/1234/***"),
        (f"https://api.telegram.org/bot123456789:AA{'b9X' * 11}/send", "https://api.telegram.org/***/send"),
        (f"xapp-1-A0B1-{RANDOM} AGE-SECRET-KEY-1{'QZ7' * 19}", "*** ***"),
        (
            KEY.replace("RSA PRIVATE KEY", "PGP PRIVATE KEY BLOCK"),
            "-----BEGIN PGP PRIVATE KEY BLOCK-----***-----END PGP PRIVATE KEY BLOCK-----",
        ),
        (f"machine h login me password {RANDOM}", "machine h login me password ***"),
        (f"https://hooks.slack.com/services/T0AB/B0CD/{RANDOM}", "https://hooks.slack.com/services/T0AB/B0CD/***"),
        (f"https://h/x?sv=1&sig={RANDOM}&se=2", "https://h/x?sv=1&sig=***&se=2"),
        ("https://h/x?X-Amz-Signature=67e7893f57fd14&a=1", "https://h/x?X-Amz-Signature=***&a=1"),
        (f"dckr_pat_{RANDOM} lin_api_{RANDOM} shpat_{'a6' * 16} 123456789:AA{'b9X' * 11}", "*** *** *** ***"),
        (f'{{"api_key": "{RANDOM}"}}', '{"api_key": "***"}'),
        (rf"{{\"api_key\": \"{RANDOM}\"}}", r"{\"api_key\": \"***\"}"),
        (f"os.environ['HF_TOKEN'] = '{RANDOM}'", "os.environ['HF_TOKEN'] = '***'"),
        ("WANDB_API_KEY=7fd3a9c1b27fd3a9c1b27fd3a9c1b2", "WANDB_API_KEY=***"),
        ("secret: 550e8400-e29b-41d4-a716-446655440000", "secret: ***"),
        ('password = "hunter2"', 'password = "***"'),
        ('password: str | None = "hunter2"', 'password: str | None = "***"'),
        ("DB_PASSWORD=hunter", "DB_PASSWORD=***"),
        ("Server=x;Password=hunter2;", "Server=x;Password=***;"),
        ("train --password hunter2 --lr 1", "train --password *** --lr 1"),
        ('["--db-password", "hunter2"]', '["--db-password", "***"]'),
        (f"--api-key {RANDOM}", "--api-key ***"),
        (f"GH = 'ghp_{RANDOM * 2}'", "GH = '***'"),
        ("see hf_AbCdEfGhIjKlMnOpQrStUvWxYzAbCdEfGh", "see ***"),
        (f"sk-proj-{RANDOM}-{RANDOM}", "***"),
        ("id AKIAIOSFODNN7EXAMPLE", "id ***"),
        ("xoxb-123456789012-abcdefGHIJ", "***"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N", "***"),
        ("token: password=hunter2x", "token: password=***"),
        (f"a {KEY} b", "a -----BEGIN RSA PRIVATE KEY-----***-----END RSA PRIVATE KEY----- b"),
        (KEY.partition("yPB")[0], "-----BEGIN RSA PRIVATE KEY-----***\n"),
        ("zip -r -P hunter2pw a.zip b", "zip -r -P *** a.zip b"),
        ("zip -P hunter2pw a; zip -q -P hunter3pw b", "zip -P *** a; zip -q -P *** b"),
        (
            "openssl rsa -passin pass:hunter2 | openssl enc -k hunter3",
            "openssl rsa -passin pass:*** | openssl enc -k ***",
        ),
        ("7z a -phunter2pw a.7z b", "7z a -p*** a.7z b"),
        ("smbclient //h/s -U 'me%hunter2pw'", "smbclient //h/s -U 'me%***'"),
        ("openssl enc -k hunter2pw -in a", "openssl enc -k *** -in a"),
        (
            "openssl rsa -passin pass:hunter2pw -passout pass:hunter3pw",
            "openssl rsa -passin pass:*** -passout pass:***",
        ),
        ("ldapsearch -D cn=x -w hunter2pw -b y", "ldapsearch -D cn=x -w *** -b y"),
        ("helm registry login -u me -p hunter2pw", "helm registry login -u me -p ***"),
        ("db.example.com:5432:data:me:hunter2pw", "db.example.com:5432:data:me:***"),
        ("machine h.com login me password hunter2pw", "machine h.com login me password ***"),
        (
            f"AWS4-HMAC-SHA256 Credential=x/s3, SignedHeaders=host, Signature={RANDOM}",
            "AWS4-HMAC-SHA256 Credential=x/s3, SignedHeaders=host, Signature=***",
        ),
        ("[('user', 'me'), ('password', 'hunter2pw')]", "[('user', 'me'), ('password', '***')]"),
        (f'["token", "{RANDOM}"]', '["token", "***"]'),
        (f"hvs.{RANDOM} nvapi-{RANDOM}", "*** ***"),
    ],
)
def test_secrets_are_masked(text: str, masked: str) -> None:
    assert mask_tokens(text) == masked
    assert mask_tokens(masked) == masked


ORDINARY = (
    "unzip -p archive.zip file.txt",
    "7z a out.7z folder",
    "openssl x509 -in cert.pem -noout",
    "train.py -P 8000 --k 5 --p 0.5",
    "mongo -port 27017",
    "train.py:5432:loss:val:0.25 x",
    "[('token', 'cls'), ('password', 'email')]",
    "dp.train.loss_per_epoch_mean_value",
    "one pass over the data",
    *("curl -u user https://h", "login page, password optional", "ratio 12345678:AA", "https://h/?sigma=0.5"),
    "the token transformerxyz",
    "curl -u me https://h; http -a x; mysql -u root -p runs; redis-cli ping -a; docker login -p 80; wandb login",
    "cookie: theme=dark; fortune_cookie=3 cookies=12345678901234567890 Authorization: required",
    "<token>cls</token> <password></password> PWD=/home/me OLDPWD=/tmp one-pass=2 xapp-1 bot12345678",
    "mask_token=cls",
    "mask_token: <mask>",
    "pad_token='[PAD]'",
    "num_tokens=512, max_tokens=12345678 tokens: 123456789 tokens/s 98765.4321",
    "token = tokenizer.encode(x)",
    "token='facebook/opt-125m-deduped'",
    "tokenizer: bert-base-uncased",
    "secret=2024-01-15T10:00:00",
    "api_key = os.environ['X']",
    "key=3f9a1c2b4d5e seed 12345678901234567890",
    "commit d41d8cd98f00b204e9800998ecf8427e",
    "password = get_password()",
    "connect(password=password, token=args.token1)",
    "getpass('Password: ')",
    'PASSWORD="$PASSWORD" PASSWORD=$(cat file)',
    "usage: [--password PASSWORD] [--token TOKEN] --token cls",
    "password: str",
    "sk-learn-contrib-project sk-resnet50-layer3-block2 hf_transformers_tokenizer_fast",
    "Basic training-loop of a Bearer block_layer3_conv2_bn",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
)


@pytest.mark.parametrize("text", ORDINARY)
def test_words_numbers_and_identifiers_stay(text: str) -> None:
    assert mask_tokens(text) == text


PIECES = st.sampled_from(
    [
        *(
            "password",
            "PASSWORD",
            "token",
            "api_key",
            "--",
            "=",
            ":",
            " ",
            '"',
            "'",
            "\n",
            "://",
            "@",
            "Bearer ",
            "hunter2",
        ),
        *(
            "ghp_",
            "sk-",
            "-----BEGIN PRIVATE KEY-----",
            "-----END",
            RANDOM,
            "***",
            "?",
            "&",
            "(",
            ".",
            "\\",
            "$",
            "a",
            "7",
        ),
    ]
)


@settings(max_examples=40)
@given(st.lists(PIECES | st.text(max_size=3), max_size=12).map("".join))
def test_masking_again_changes_nothing(text: str) -> None:
    once = mask_tokens(text)
    assert mask_tokens(once) == once


WORD = st.from_regex(r"[a-z]{1,9}[0-9]{0,3}", fullmatch=True)
NAME = st.lists(WORD, min_size=1, max_size=3).map("_".join)
VALUE = st.integers() | st.floats() | st.booleans() | st.none() | WORD | NAME | NAME.map(str.title)


@settings(max_examples=30)
@given(st.dictionaries(NAME | st.sampled_from(["mask_token", "key", "api_key", "secret", "num_tokens"]), VALUE))
def test_ordinary_settings_stay(ordinary: dict[str, object]) -> None:
    assert repr(mask_fields(ordinary)) == repr(ordinary)
    text = " ".join(f"{name}={value}" for name, value in ordinary.items())
    assert mask_tokens(text) == text


@settings(max_examples=20)
@given(name=NAME, value=st.integers() | st.floats() | st.booleans())
def test_numbers_stay_under_any_name(name: str, value: float) -> None:
    numbers = {f"{name}_password": value, "token": value}
    assert repr(mask_fields(numbers)) == repr(numbers)


@settings(max_examples=10)
@given(st.sampled_from(find_workload("resnet9").factors.baseline), st.integers(0, 2**62))
def test_recipes_of_the_built_in_training_stay(factor: str, seed: int) -> None:
    recipe = Recipe.of(find_workload("resnet9"), seed=seed).without(factor)
    assert mask_fields(recipe.as_dict()) == recipe.as_dict()
    assert mask_fields(recipe.params) == recipe.params


def test_fields_are_masked_by_their_names_and_levels_stay() -> None:
    fields = {"db_password": "hunter", "hub": {"token": RANDOM}, "url": "https://me:pw@h", "password": 12345, "n": [1]}
    assert mask_fields(fields) == {
        "db_password": "***",
        "hub": {"token": "***"},
        "url": "https://me:***@h",
        "password": 12345,
        "n": [1],
    }
    assert mask_fields({"token": RANDOM, "password": "long"}, f"token={RANDOM}+password=long")["token"] == RANDOM


@pytest.mark.parametrize(
    ("name", "value"), [("VLLM_MAX_TOKENS", "131072"), ("SOME_TOKEN", "12.500"), ("X_KEY", "abcdefgh")]
)
def test_variables_that_are_numbers_or_words_are_not_masked(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("OPENAI_API_KEY", "disabled")
    assert mask_secrets(f"disabled {value}") == f"disabled {value}"


def test_a_variable_of_letters_at_random_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "gEOzdmenCkhvMdgaKjIg")
    assert mask_secrets("with gEOzdmenCkhvMdgaKjIg") == "with ***"


def test_a_file_is_masked_in_pieces_and_otherwise_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ablate.redaction._CHUNK", 300)
    monkeypatch.setattr("ablate.redaction._LONGEST_SECRET", 150)
    path, other = tmp_path / "stdout.txt", tmp_path / "stderr.txt"
    noise = b"\xff loss 3\r\n" * 20
    secrets = f"API_KEY={RANDOM}\nhttps://me:Zq1@h\n{KEY}\n".encode()
    path.write_bytes((noise + secrets) * 3 + noise)
    other.write_bytes(noise)
    before = other.stat()
    for file in (path, other):
        mask_file(file)
    masked = b"API_KEY=***\nhttps://me:***@h\n-----BEGIN RSA PRIVATE KEY-----***-----END RSA PRIVATE KEY-----\n"
    assert path.read_bytes() == (noise + masked) * 3 + noise
    assert other.stat().st_ino == before.st_ino
    assert len(list(tmp_path.iterdir())) == 2
