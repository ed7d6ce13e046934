# A mail server, as a program: each test runs its own, "python3 -m aiosmtpd -n -l HOST:PORT -c aiosmtpd.handlers.Mailbox MAILDIR".
packages=(python3-aiosmtpd)

ready() { /usr/bin/python3 -c 'import aiosmtpd'; }

settings() { give PYTHON_SMTP /usr/bin/python3; }
