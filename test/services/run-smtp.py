#!/usr/bin/python3
"""run-smtp.py HOST:PORT MAILDIR CERT KEY USER PASSWORD: a mail server in the foreground that wants STARTTLS and a password.

What it takes lies in MAILDIR/new. Ctrl-C and SIGTERM end it. Wants python3-aiosmtpd.
"""

import signal
import ssl
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Mailbox
from aiosmtpd.smtp import AuthResult, LoginPassword

address, maildir, cert, key, user, password = sys.argv[1:]
host, _, port = address.rpartition(":")
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(cert, key)


def may(server, session, envelope, mechanism, data):
    """Tells whether somebody is let in."""
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (user.encode(), password.encode())
    return AuthResult(success=good, handled=False)


signals = (signal.SIGINT, signal.SIGTERM)
signal.pthread_sigmask(signal.SIG_BLOCK, signals)
server = Controller(Mailbox(maildir), hostname=host, port=int(port), tls_context=tls, require_starttls=True, auth_required=True, authenticator=may)
server.start()
signal.sigwait(signals)
server.stop()
