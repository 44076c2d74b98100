package etcdstore

import (
	"context"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
)

// Get returns the value under key. ok is false if the key is absent or has expired.
// An expired record is deleted first, so that no host finds it again.
//
// The read is linearizable: a majority of the members confirms it.
func (s *Store) Get(ctx context.Context, key string) (value []byte, ok bool, err error) {
	if err := checkKey(key); err != nil {
		return nil, false, s.failed("get", err)
	}
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	if value, err = s.get(ctx, prefix+key); err != nil {
		return nil, false, s.failed("get", err)
	}
	return value, value != nil, nil
}

// get returns nil if the key is absent.
func (s *Store) get(ctx context.Context, key string) ([]byte, error) {
	for {
		found, _, err := s.read(ctx, patience, &pb.RangeRequest{Key: []byte(key)})
		if err != nil || len(found) == 0 {
			return nil, err
		}
		value, end, err := decode(found[0].Value)
		if err != nil || end > instant() {
			return value, err
		}
		if removed, err := s.removeFound(ctx, found[0]); removed || err != nil {
			return nil, err
		}
	}
}

// CompareAndSwap sets key to new, to expire after ttl, if the current value is exactly
// old. A nil old means absence. The ttl must be positive. It is kept to the nanosecond,
// by the clock of this host.
//
// It makes one round trip, with one transaction that is never retried. An error means
// that the outcome is unknown.
func (s *Store) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (swapped bool, err error) {
	if err := checkSwap(key, old, new, ttl); err != nil {
		return false, s.failed("swap", err)
	}
	if len(old) > maxValue {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	if old == nil {
		swapped, err = s.create(ctx, prefix+key, new, ttl)
	} else {
		swapped, err = s.swap(ctx, prefix+key, old, new, ttl)
	}
	if err != nil {
		return false, s.failed("swap", err)
	}
	return swapped, nil
}

// create writes key if it is absent or has expired.
func (s *Store) create(ctx context.Context, key string, new []byte, ttl time.Duration) (bool, error) {
	for compare := missing(key); ; {
		done, found, err := s.replace(ctx, key, compare, new, ttl)
		if done || err != nil {
			return done, err
		}
		if found == nil { // it was deleted between two tries
			compare = missing(key)
			continue
		}
		if _, end, err := decode(found.Value); err != nil || end > instant() {
			return false, err
		}
		compare = unchanged(found)
	}
}

func (s *Store) swap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	done, found, err := s.replace(ctx, key, holds(key, old, instant()), new, ttl)
	if done || found == nil || err != nil {
		return done, err
	}
	// Delete an expired record before reporting it as absent, because a host with a
	// slower clock could find it afterwards.
	if _, end, err := decode(found.Value); err != nil || end > instant() {
		return false, err
	}
	_, err = s.removeFound(ctx, found)
	return false, err
}

// replace sets key to new if the comparison holds, and otherwise returns the record
// that it found, or nil.
func (s *Store) replace(ctx context.Context, key string, compare []*pb.Compare, new []byte, ttl time.Duration) (done bool, found *mvccpb.KeyValue, err error) {
	response, err := s.write(ctx, &pb.TxnRequest{
		Compare: compare,
		Success: []*pb.RequestOp{put(key, encode(new, instant()+uint64(ttl)))},
		Failure: []*pb.RequestOp{get(key)},
	})
	if err != nil || response.Succeeded {
		return err == nil, nil, err
	}
	if found := response.Responses[0].GetResponseRange().GetKvs(); len(found) > 0 {
		return false, found[0], nil
	}
	return false, nil, nil
}

// removeFound deletes a record that was not written since it was found. It works on a
// full database.
func (s *Store) removeFound(ctx context.Context, found *mvccpb.KeyValue) (removed bool, err error) {
	response, err := s.write(ctx, &pb.TxnRequest{
		Compare: unchanged(found),
		Success: []*pb.RequestOp{remove(found.Key)},
	})
	return response.GetSucceeded(), err
}

// Delete removes key, whatever its value. Deleting a missing key is a no-op. Delete
// also works on a database that has reached its quota. An error means that the outcome
// is unknown.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return s.failed("delete", err)
	}
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	if _, err := s.write(ctx, &pb.TxnRequest{Success: []*pb.RequestOp{remove([]byte(prefix + key))}}); err != nil {
		return s.failed("delete", err)
	}
	return nil
}
