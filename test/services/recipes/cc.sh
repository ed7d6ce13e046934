# What the race detector of Go needs on Linux.
packages=(gcc libc6-dev)

ready() { gcc --version; }
