package rotation

import "time"

// Settle adapts a family that was created in the future of now; see package clocks. The
// times of its rotations stay: in the future they start no period.
func (f *Family) Settle(now time.Time, idle time.Duration) {
	by := f.Moved.Settle(f.Created, max(f.Rotated, f.Recovered, f.Presented), now.UnixMilli(), idle)
	f.Created += by.Created
	f.AuthTime += by.Created
	f.Expires += by.Created
	if f.Requested > 0 {
		f.Requested += by.Created
	}
	f.Rotated = max(f.Rotated, f.Created)
	f.Idle = max(f.Idle, f.Created)
}
