# A mail server, as a program: each test runs its own with run-smtp.py.
packages=(python3-aiosmtpd openssl)

start() { certified; }

ready() { /usr/bin/python3 -c 'import aiosmtpd'; }

settings() {
  give SMTP "$here/run-smtp.py"
  give SMTP_DIR "$dir"
}
