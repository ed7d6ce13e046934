# ActiveMQ "Classic" with STOMP, accounts with the rights that docs/brokers.md gives them, and the statistics plugin. Without XStream and Jettison on its path it cannot turn the replies of
# that plugin into STOMP.
packages=(activemq openssl libxstream-java libjettison-java)
within=90

start() {
  free activemq activemq-tls
  mkdir -p "$dir/conf" "$dir/data" "$dir/tmp" "$dir/lib"
  certified
  openssl pkcs12 -export -in "$dir/cert.pem" -inkey "$dir/key.pem" -out "$dir/broker.p12" -passout "pass:$passcode" >>"$log" 2>&1 || fail "could not pack its certificate"
  ln -sf /usr/share/java/xstream.jar /usr/share/java/jettison.jar "$dir/lib/"
  cat >"$dir/conf/log4j.properties" <<CONF
log4j.rootLogger=INFO,out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d %-5p %c{1} %m%n
CONF
  cat >"$dir/conf/activemq.xml" <<XML
<beans xmlns="http://www.springframework.org/schema/beans" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
       xsi:schemaLocation="http://www.springframework.org/schema/beans http://www.springframework.org/schema/beans/spring-beans.xsd
                           http://activemq.apache.org/schema/core http://activemq.apache.org/schema/core/activemq-core.xsd">
  <broker xmlns="http://activemq.apache.org/schema/core" brokerName="fettle" dataDirectory="$dir/data" useJmx="false"
          schedulePeriodForDestinationPurge="2000">
    <persistenceAdapter><kahaDB directory="$dir/data/kahadb" journalMaxFileLength="8mb"/></persistenceAdapter>
    <destinationPolicy><policyMap><policyEntries>
      <policyEntry queue=">" gcInactiveDestinations="true" inactiveTimeoutBeforeGC="5000" expireMessagesPeriod="5000">
        <deadLetterStrategy><sharedDeadLetterStrategy processExpired="false"/></deadLetterStrategy>
      </policyEntry>
    </policyEntries></policyMap></destinationPolicy>
    <plugins>
      <statisticsBrokerPlugin/>
      <simpleAuthenticationPlugin>
        <users>
          <authenticationUser username="$login" password="$passcode" groups="servers"/>
          <authenticationUser username="node" password="$passcode" groups="nodes"/>
        </users>
      </simpleAuthenticationPlugin>
      <authorizationPlugin><map><authorizationMap><authorizationEntries>
        <authorizationEntry queue=">" read="servers" write="servers" admin="servers"/>
        <authorizationEntry topic=">" read="servers" write="servers" admin="servers"/>
        <authorizationEntry queue="fettle.facts" read="servers" write="servers,nodes" admin="servers,nodes"/>
        <authorizationEntry queue="fettle.results" read="servers" write="servers,nodes" admin="servers,nodes"/>
        <authorizationEntry queue="fettle.output" read="servers" write="servers,nodes" admin="servers,nodes"/>
        <authorizationEntry queue="fettle.enrol" read="servers" write="servers,nodes" admin="servers,nodes"/>
        <authorizationEntry queue="fettle.node.>" read="servers,nodes" write="servers" admin="servers,nodes"/>
        <authorizationEntry queue="fettle.join.>" read="servers,nodes" write="servers" admin="servers,nodes"/>
        <authorizationEntry topic="fettle.all" read="servers,nodes" write="servers" admin="servers,nodes"/>
        <authorizationEntry topic="ActiveMQ.Advisory.>" read="servers,nodes" write="servers,nodes" admin="servers,nodes"/>
      </authorizationEntries></authorizationMap></map></authorizationPlugin>
    </plugins>
    <sslContext><sslContext keyStore="file:$dir/broker.p12" keyStorePassword="$passcode"/></sslContext>
    <systemUsage><systemUsage>
      <memoryUsage><memoryUsage limit="128 mb"/></memoryUsage>
      <storeUsage><storeUsage limit="512 mb"/></storeUsage>
      <tempUsage><tempUsage limit="128 mb"/></tempUsage>
    </systemUsage></systemUsage>
    <transportConnectors>
      <transportConnector name="stomp" uri="stomp+nio://127.0.0.1:$(port activemq)?maximumConnections=20000"/>
      <transportConnector name="stomps" uri="stomp+nio+ssl://127.0.0.1:$(port activemq-tls)?transport.enabledProtocols=TLSv1.2"/>
    </transportConnectors>
  </broker>
</beans>
XML
  ulimit -n "$(ulimit -Hn)" # a connection is a file, and many are measured
  daemon activemq java -Xms64m -Xmx${FETTLE_SERVICES_HEAP:-384m} -Djava.io.tmpdir="$dir/tmp" -Dlog4j.configuration="file:$dir/conf/log4j.properties" \
    -Dactivemq.home=/usr/share/activemq -Dactivemq.base="$dir" -Dactivemq.conf="$dir/conf" -Dactivemq.data="$dir/data" \
    -jar /usr/share/activemq/bin/activemq.jar start "xbean:file:$dir/conf/activemq.xml"
}

ready() { answers_stomp "$(port activemq)" && listens "$(port activemq-tls)"; }

settings() {
  give ACTIVEMQ "stomp://$login:$passcode@127.0.0.1:$(port activemq)"
  give ACTIVEMQ_TLS "stomps://$login:$passcode@127.0.0.1:$(port activemq-tls)"
  give ACTIVEMQ_CA "$dir/ca.pem"
  give ACTIVEMQ_NODE "stomp://node:$passcode@127.0.0.1:$(port activemq)"
}
