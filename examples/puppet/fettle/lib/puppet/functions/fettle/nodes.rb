# frozen_string_literal: true

require 'json'
require 'net/http'
require 'uri'
require 'yaml'

# The nodes that a filter of Fettle matches, asked of its server while a catalogue is compiled.
#
# The file that FETTLE_CONTEXT names, or /etc/fettle/puppet.yaml, says whom to ask: url, token, and ca where the authority is your own.
Puppet::Functions.create_function(:'fettle::nodes') do
  # @param filter a filter in CEL
  # @return the names of the nodes, sorted
  # @example fettle::nodes('facts.role == "web"')
  dispatch :names do
    param 'String[1]', :filter
    return_type 'Array[String]'
  end

  # @param filter a filter in CEL
  # @param fields fact paths, or expressions in CEL
  # @return for each node its fields; those that it lacks are not there
  # @example fettle::nodes('facts.role == "web"', ['networking.ip'])
  dispatch :fields do
    param 'String[1]', :filter
    param 'Array[String[1], 1]', :fields
    return_type 'Hash[String, Hash]'
  end

  def names(filter)
    ask('where' => filter).map { |node| node['identity'] }
  end

  def fields(filter, fields)
    ask('where' => filter, 'fields' => fields.join(',')).to_h { |node| [node['identity'], node['fields'] || {}] }
  end

  # One node a line; a stream that breaks off raises.
  def ask(question)
    context = YAML.safe_load(File.read(ENV['FETTLE_CONTEXT'] || '/etc/fettle/puppet.yaml'))
    uri = URI("#{context['url'].chomp('/')}/api/v1/nodes?#{URI.encode_www_form(question)}")
    request = Net::HTTP::Get.new(uri, 'Authorization' => "Bearer #{context['token']}", 'Accept' => 'application/x-ndjson')
    options = { use_ssl: uri.scheme == 'https', ca_file: context['ca'], open_timeout: 5, read_timeout: 30 }
    answer = Net::HTTP.start(uri.hostname, uri.port, options) { |http| http.request(request) }
    raise Puppet::Error, "fettle: #{reason(answer)}" unless answer.is_a?(Net::HTTPOK)

    answer.body.each_line.map { |line| JSON.parse(line) }
  end

  def reason(answer)
    JSON.parse(answer.body)['detail'] || answer.message
  rescue JSON::ParserError
    answer.message
  end
end
