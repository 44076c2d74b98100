package sessionrecord

import "time"

// Settle adapts times that lie in the future of now, and reports by how much; see
// package clocks.
func (r *Record) Settle(now int64, idle time.Duration) time.Duration {
	by := r.Moved.Settle(r.Created, r.Used, now, idle)
	r.Used += by.Used
	r.Created += by.Created
	r.AuthTime += by.Created
	r.Expires += by.Created
	if r.Requested > 0 {
		r.Requested += by.Created
	}
	return by.By()
}
