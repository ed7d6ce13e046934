# Puppet, to run our function in a catalogue.
packages=(puppet-agent)

ready() { /usr/bin/puppet --version; }

settings() { give PUPPET /usr/bin/puppet; }
