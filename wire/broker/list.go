package broker

// itemOverhead is what a held message costs in memory beside its bytes.
const itemOverhead = 256

// item is a message in a queue. It stands in one list at a time: the queue's ready ones, or a subscription's pending ones.
type item struct {
	msg        *encoded
	at         int64 // when it came, in nanoseconds since Broker.epoch
	deliveries int   // how often it was given to a subscriber and came back
	prev, next *item
}

// list is a list of items. The zero value is empty.
type list struct {
	head, tail *item
	n          int
}

func (l *list) pushBack(it *item) {
	it.prev, it.next = l.tail, nil
	if l.tail == nil {
		l.head = it
	} else {
		l.tail.next = it
	}
	l.tail = it
	l.n++
}

func (l *list) pushFront(it *item) {
	it.prev, it.next = nil, l.head
	if l.head == nil {
		l.tail = it
	} else {
		l.head.prev = it
	}
	l.head = it
	l.n++
}

// remove takes it out of l, in which it stands.
func (l *list) remove(it *item) {
	if it.prev == nil {
		l.head = it.next
	} else {
		it.prev.next = it.next
	}
	if it.next == nil {
		l.tail = it.prev
	} else {
		it.next.prev = it.prev
	}
	it.prev, it.next = nil, nil
	l.n--
}
