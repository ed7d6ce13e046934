# The stomp gem, a STOMP client in Ruby. The full path: another ruby may come first and lack it.
packages=(ruby ruby-stomp)

ready() { /usr/bin/ruby -e 'require "stomp"'; }

settings() { give RUBY_STOMP /usr/bin/ruby; }
