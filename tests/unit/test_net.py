"""Whose a connection is, and whom the server believes about that."""

import pytest

from xnai.errors import XnaiError
from xnai.net import UNKNOWN, client_address, network, share_key
from xnai.settings import load_settings

PROXIES = (network("10.0.0.0/24"), network("::1"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),  # a stranger's word
        ("10.0.0.2", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.2", "203.0.113.9, 198.51.100.7", "198.51.100.7"),  # the client forged the first
        ("10.0.0.2", "198.51.100.7, 10.0.0.3", "198.51.100.7"),  # two proxies
        ("10.0.0.2", "10.0.0.4, 10.0.0.3", "10.0.0.4"),  # a proxy asks for itself
        ("10.0.0.2", "198.51.100.7:4711", "198.51.100.7"),
        ("10.0.0.2", "[2001:db8::1]:4711", "2001:db8::1"),
        ("::1", "2001:db8::1", "2001:db8::1"),
        ("::ffff:10.0.0.2", "198.51.100.7", "198.51.100.7"),
        ("::ffff:192.0.2.1", "", "192.0.2.1"),
        ("10.0.0.2", "198.51.100.7, nonsense", "10.0.0.2"),
        ("10.0.0.2", "", "10.0.0.2"),
        ("10.0.0.2", ",,,", "10.0.0.2"),
        (None, "198.51.100.7", UNKNOWN),
        ("", "198.51.100.7", UNKNOWN),
    ],
)
def test_only_the_word_of_a_trusted_proxy_counts(peer, forwarded, client):
    found = client_address(peer, forwarded, PROXIES)
    assert found == client
    assert client_address(found, forwarded, PROXIES) == client or peer is None


def test_without_proxies_nobody_is_believed():
    assert client_address("127.0.0.1", "198.51.100.7", ()) == "127.0.0.1"


def test_a_very_long_chain_is_read_from_its_end_alone():
    chain = ",".join(["10.0.0.3"] * 100_000)
    assert client_address("10.0.0.2", chain, PROXIES) == "10.0.0.3"


def test_all_addresses_of_one_ipv6_subscriber_share():
    assert share_key("2001:db8::1") == share_key("2001:db8::ffff:1") != share_key("2001:db8:0:1::1")
    assert share_key("::ffff:192.0.2.1") == share_key("192.0.2.1") == "192.0.2.1"
    assert share_key(UNKNOWN) == UNKNOWN


def test_proxies_are_addresses_or_ranges(monkeypatch):
    monkeypatch.setenv("XNAI_TRUSTED_PROXIES", " 10.0.0.2, 10.1.0.0/16 ,::1,")
    proxies = load_settings(None).trusted_proxies
    assert proxies == (network("10.0.0.2"), network("10.1.0.0/16"), network("::1"))


@pytest.mark.parametrize("value", ["proxy.lan", "10.0.0.1/8", "10.0.0.0/33", "*"])
def test_a_proxy_that_is_no_address_is_refused_with_what_is_expected(monkeypatch, value):
    monkeypatch.setenv("XNAI_TRUSTED_PROXIES", value)
    with pytest.raises(XnaiError, match=r"XNAI_TRUSTED_PROXIES.*10\.0\.0\.0/24"):
        load_settings(None)
