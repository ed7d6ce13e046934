# A browser, with letters to draw.
packages=(chromium fonts-dejavu-core)

ready() { chromium --version --no-sandbox; }

settings() { give CHROMIUM /usr/bin/chromium; }
