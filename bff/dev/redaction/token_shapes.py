"""Patterns of the tokens and keys of well-known services."""

import re
from typing import Final

# From their documentation; code hosts scan for the same patterns.
_TOKENS: Final = (
    ("a JSON Web Token", r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"),
    ("an encrypted JSON Web Token", r"\beyJ[\w-]{8,}\.[\w-]*\.[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"),
    ("a PASETO", r"\bv[1-4]\.(?:local|public)\.[\w-]{20,}"),
    ("a private key", r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|\bAGE-SECRET-KEY-1\w{20,}"),
    ("credentials", r"(?i)\b(?:bearer|basic) +(?!redacted-)[\w+/=.~-]{16,}"),
    ("credentials in an address", r"\b\w+://[^/\s:@\"'<>]*:(?!redacted-)[^/\s@\"'<>]+@"),
    (
        "a key of a cloud provider",
        (
            r"\b(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}\b|\bAIza[\w-]{35}|\bya29\.[\w-]{20,}|\bGOCSPX-[\w-]{20,}"
            r"|\bdo[oprt]_v1_[0-9a-f]{40,}|(?i:AccountKey)=[\w+/]{40,}={0,2}|\bHRKU-[\w-]{20,}"
            r"|\bfm[12]_[\w+/=-]{30,}|\bscw_[\w-]{20,}|\bLTAI[0-9A-Za-z]{16,}|\bdapi[0-9a-f]{32}\b"
        ),
    ),
    (
        "a token of a code host",
        (
            r"\bgh[pousr]_\w{30,}|\bgithub_pat_\w{30,}|\bATBB\w{20,}"
            r"|\bgl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|oas|soat|ffct)-[\w.-]{20,}"
        ),
    ),
    (
        "a token of a package registry",
        (
            r"\bnpm_\w{30,}|\bpypi-[\w-]{16,}|\brubygems_[0-9a-f]{40,}|\bdckr_(?:pat|oat)_[\w-]{20,}"
            r"|\bcio\w{32}\b|\boy2[a-z0-9]{43}\b|\bAKCp[\w]{60,}"
        ),
    ),
    (
        "a token of a chat",
        (
            r"\bxox[abceoprs](?:\.xox[bp])?-[\w-]{10,}|\bxapp-\d-[\w-]{10,}"
            r"|hooks\.slack\.com/(?:services|workflows)/[\w/]{20,}|\b\d{8,10}:AA[\w-]{32,}"
            r"|\b[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,}|/api/webhooks/\d{15,}/[\w-]{40,}"
        ),
    ),
    (
        "a key of a payment provider",
        (
            r"\b[sr]k_(?:live|test)_\w{16,}|\bwhsec_[\w+/=-]{16,}|\bsq0(?:atp|csp|idp)-[\w-]{20,}"
            r"|\bEAAA[\w-]{56,}|\baccess_token\$(?:production|sandbox)\$[0-9a-z]{16}\$[0-9a-f]{32}"
            r"|\b(?:live|test)_[a-zA-Z0-9]{30,}\b"
        ),
    ),
    ("a token of a shop system", r"\bshp(?:at|ss|ca|pa|tka|ua)_[0-9a-fA-F]{32,}"),
    (
        "a key of a model's provider",
        (
            r"\bhf_[A-Za-z0-9]{30,}|\bapi_org_[A-Za-z]{30,}|\bsk-[\w-]{20,}|\bgsk_\w{40,}|\br8_\w{30,}"
            r"|\bpplx-\w{40,}|\bxai-\w{40,}"
        ),
    ),
    (
        "a key of a mail provider",
        (
            r"\bSG\.[\w-]{16,}\.[\w-]{16,}|\bkey-[0-9a-f]{32}\b|\bre_[A-Za-z0-9]{8}_\w{16,}"
            r"|\b[0-9a-f]{32}-us\d{1,2}\b|\bxkeysib-[0-9a-f]{40,}|\bSK[0-9a-f]{32}\b"
        ),
    ),
    (
        "a token of a service",
        (
            r"\bhv[bsr]\.[\w-]{20,}|\batlasv1\.[\w-]{20,}|\bdp\.(?:pt|st|ct|sa|scim|audit)\.\w{20,}"
            r"|\bPMAK-[0-9a-f]{20,}|\bNRAK-[A-Z0-9]{20,}|\bsntry[su]_[\w+/=-]{20,}|\bgl(?:sa|c)_[\w+/=]{20,}"
            r"|\btskey-[\w-]{16,}|\blin_(?:api|oauth)_\w{20,}|\b(?:secret|ntn)_[A-Za-z0-9]{40,}"
            r"|\bfig[doru]_[\w-]{20,}|\bAT[AC]TT3[\w=-]{20,}|\bph[xsc]_[A-Za-z0-9]{30,}"
            r"|\bsbp_[0-9a-f]{40}|\bpat[A-Za-z0-9]{14}\.[0-9a-f]{64}|\bops_eyJ[\w-]{20,}"
            r"|\b(?:pul|cfut|cfat|rnd|nfp|vcp|pscale_(?:tkn|pw|oauth))_[\w-]{20,}|\bsk\.eyJ[\w.-]{20,}"
            r"|\bdt0[a-z]\d{2}\.[A-Z0-9]{24}\.[A-Z0-9]{60,}|\bsl\.[\w-]{60,}|\bEAA[A-Z][A-Za-z0-9]{60,}"
            r"|\b1//0[\w-]{30,}|\bshippo_(?:live|test)_[0-9a-f]{40}|\bduffel_(?:live|test)_[\w-]{30,}"
        ),
    ),
)
TOKENS: Final = tuple((what, re.compile(pattern)) for what, pattern in _TOKENS)
# Ids of Stripe's API: random like its keys, but public.
TYPED_ID: Final = re.compile(
    r"(?:acct|ba|card|ch|cn|cs_(?:test|live)|cus|dp|evt|fee|file|ii|il|in|ipi|link|mandate|mbur|obt"
    r"|or|pi|pl|plan|plink|pm|po|price|prod|prv|py|pyr|qt|re|req|rcpt|seti|setatt|si|sub|sub_sched"
    r"|tmc|tok|tr|trr|txi|txn|txr|tu|vs|we|wc)_[A-Za-z0-9]{8,64}"
)


def token_in(text: str) -> str:
    """The kind of token that a text contains; empty for none."""
    return next((what for what, pattern in TOKENS if pattern.search(text)), "")
