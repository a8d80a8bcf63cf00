"""The intake: takes the events of all boxes of a tenant into a database, and acknowledges them to the boxes.

How an event passes: a source (`sources`, MQTT or NATS JetStream) hands over a batch of messages; `event` reads each
into a row or into poison; `store` commits the batch in one transaction together with the frontier of every stream
it touches; only then the frontier is acknowledged to the box and the messages to the broker. A database that is
away, full or slow therefore stops acknowledgements and nothing else, and whatever ends in between comes again.

Of the gateway it imports the event's form (`gateway.events`) and the values in it (`gateway.model`), nothing more.
"""
