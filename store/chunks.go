package store

import (
	"encoding/binary"
	"math"
	"slices"
	"sync/atomic"
)

// chunks keep the keys and values of a shard's records, one after the other, in memory
// without pointers. So a store of many records has few objects for the garbage collector.
//
// What has been written into a chunk never changes, because callers of Get hold parts of
// it. A record that is removed or replaced stays there as waste. Compaction copies the
// other records of a chunk with much waste to another chunk, a few in each call. Then the
// chunk is let go, and the garbage collector frees it once no caller holds a part of it.
type chunks struct {
	used  *atomic.Int64 // of all shards together
	list  []chunk
	free  []uint32 // numbers of list that are not in use
	open  int      // number of the chunk that has room, or none
	size  int      // capacity of all chunks
	waste int      // bytes of records that are no longer in use, of all chunks

	leaving int // number of the chunk that compaction empties, or has emptied last
	offset  int // in that chunk, of the record that it looks at next, or none
}

type chunk struct {
	data  []byte
	waste int
}

// A place is the number of a chunk and, in its last bits, an offset.
type place uint32

const (
	offsetBits = 16
	chunkSize  = 1 << offsetBits // maximum for several records; a multiple of a page
	maxChunks  = 1 << (32 - offsetBits)
	none       = -1

	// A record of more than aloneSize bytes gets a chunk of its own.
	aloneSize = chunkSize / 8

	// A chunk has room for one part of so many of what its shard has already. So the first
	// records of a shard have chunks of their own, and a small store reserves no memory.
	growthParts = 8

	// Records are copied while more than one part of so many is waste: in each call, and
	// where a write does not fit into a full store.
	wasteParts     = 8
	wastePartsFull = 64
)

// A record is stored as the length of its key (1 byte), the length of its value less one (2
// bytes), the key, and the value.
const header = 1 + 2

func (p place) chunk() int  { return int(p >> offsetBits) }
func (p place) offset() int { return int(p % chunkSize) }

// at returns the record at a place, and the bytes that follow it.
func (c *chunks) at(p place) []byte { return c.list[p.chunk()].data[p.offset():] }

func sizeOf(record []byte) int {
	return header + int(record[0]) + int(binary.LittleEndian.Uint16(record[1:])) + 1
}

func keyOf(record []byte) []byte { return record[header : header+int(record[0])] }

// valueOf limits the capacity, so that appending to the value copies it.
func valueOf(record []byte) []byte {
	end := sizeOf(record)
	return record[header+int(record[0]) : end : end]
}

// put stores a record, unless used would exceed limit.
func (c *chunks) put(key string, value []byte, limit int64) (p place, ok bool) {
	number, ok := c.room(header+len(key)+len(value), limit)
	if !ok {
		return 0, false
	}
	to := &c.list[number]
	p = place(number<<offsetBits | len(to.data))
	to.data = append(to.data, byte(len(key)))
	to.data = binary.LittleEndian.AppendUint16(to.data, uint16(len(value)-1))
	to.data = append(to.data, key...)
	to.data = append(to.data, value...)
	return p, true
}

// move copies a record to another place.
func (c *chunks) move(from place) (p place, ok bool) {
	record := c.at(from)
	record = record[:sizeOf(record)]
	number, ok := c.room(len(record), unlimited)
	if !ok {
		return 0, false
	}
	to := &c.list[number]
	p = place(number<<offsetBits | len(to.data))
	to.data = append(to.data, record...)
	c.drop(from)
	return p, true
}

// unlimited is the limit of what does not take more memory in the end.
const unlimited = math.MaxInt64

// room returns the number of a chunk with room for n bytes.
func (c *chunks) room(n int, limit int64) (number int, ok bool) {
	if n > aloneSize {
		return c.add(n, limit)
	}
	if c.open != none {
		if data := c.list[c.open].data; n <= cap(data)-len(data) {
			return c.open, true
		}
	}
	number, ok = c.add(min(max(n, c.size/growthParts), chunkSize), limit)
	if !ok {
		number, ok = c.add(n, limit)
	}
	if ok {
		c.open = number
	}
	return number, ok
}

// add makes a chunk of n bytes, or as many more as the allocator gives.
func (c *chunks) add(n int, limit int64) (number int, ok bool) {
	if len(c.list) == maxChunks && len(c.free) == 0 || c.used.Load()+int64(n) > limit {
		return none, false
	}
	data := slices.Grow([]byte(nil), n)
	if !reserve(c.used, int64(cap(data)), limit) {
		return none, false
	}
	c.size += cap(data)
	if last := len(c.free) - 1; last >= 0 {
		number = int(c.free[last])
		c.free = c.free[:last]
		c.list[number] = chunk{data: data}
		return number, true
	}
	c.list = push(c.list, chunk{data: data})
	return len(c.list) - 1, true
}

// drop counts a record as waste. A chunk of nothing else is let go.
func (c *chunks) drop(p place) {
	n, number := sizeOf(c.at(p)), p.chunk()
	from := &c.list[number]
	from.waste += n
	c.waste += n
	if from.waste < len(from.data) {
		return
	}
	c.waste -= from.waste
	c.size -= cap(from.data)
	c.used.Add(-int64(cap(from.data)))
	*from = chunk{}
	c.free = push(c.free, uint32(number))
	if c.open == number {
		c.open = none
	}
	if c.leaving == number {
		c.offset = none
	}
	if c.size == 0 {
		c.list, c.free = nil, nil
	}
}

// next returns the place and the size of the next record that compaction looks at, if the
// waste is more than one part of so many of the chunks' size.
func (c *chunks) next(parts int) (p place, size int, ok bool) {
	if c.waste <= c.size/parts {
		return 0, 0, false
	}
	for c.offset == none { // some chunk has more waste than the average
		c.leaving = (c.leaving + 1) % len(c.list)
		if each := &c.list[c.leaving]; each.waste > cap(each.data)/parts {
			c.offset = 0
		}
	}
	if c.open == c.leaving {
		c.open = none
	}
	p = place(c.leaving<<offsetBits | c.offset)
	size = sizeOf(c.at(p))
	if c.offset += size; c.offset == len(c.list[c.leaving].data) {
		c.offset = none
	}
	return p, size, true
}

// reserve adds n bytes to used, unless that exceeds the limit.
func reserve(used *atomic.Int64, n, limit int64) bool {
	for {
		before := used.Load()
		if n > 0 && before+n > limit {
			return false
		}
		if used.CompareAndSwap(before, before+n) {
			return true
		}
	}
}
