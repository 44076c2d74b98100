package etcdstore

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
)

const (
	page  = 500 // records that are read at once, 32 MiB at most
	batch = 100 // records that are removed at once; etcd allows 128 operations
)

// DeleteExpired removes the records that have expired, and returns how many it
// has removed. Call it every few minutes, from a ticker of the application or a
// job beside it: without it the database grows until it refuses logins. Several
// processes may call it at once, though one is enough.
//
// It reads all records, in pages, and ends with its context; what it has removed
// until then is removed.
func (s *Store) DeleteExpired(ctx context.Context) (removed int64, err error) {
	// Before version 3.5 a page costs as much as all keys that follow it, so
	// the keys are read in shares, by the first character.
	for first := byte('!'); first <= '~'; first++ {
		from, end := prefix+string(first), prefix+string(first+1)
		for from != "" {
			var n int64
			n, from, err = s.deletePage(ctx, from, end)
			if removed += n; err != nil {
				return removed, s.failed("delete expired", err)
			}
		}
	}
	return removed, nil
}

// deletePage returns where the next page begins, "" if there is none.
func (s *Store) deletePage(ctx context.Context, from, end string) (removed int64, next string, err error) {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	found, err := s.read(ctx, &pb.RangeRequest{Key: []byte(from), RangeEnd: []byte(end), Limit: page})
	if err != nil {
		return 0, "", err
	}
	if len(found) == page {
		next = string(found[page-1].Key) + "\x00"
	}
	expired, now := found[:0], instant()
	for _, record := range found {
		if _, end, err := decode(record.Value); err == nil && end <= now {
			expired = append(expired, record)
		}
	}
	for len(expired) > 0 && err == nil {
		var n int64
		n, err = s.deleteBatch(ctx, expired[:min(batch, len(expired))])
		removed, expired = removed+n, expired[min(batch, len(expired)):]
	}
	return removed, next, err
}

// deleteBatch removes what nobody has written since it was found.
func (s *Store) deleteBatch(ctx context.Context, found []*mvccpb.KeyValue) (removed int64, err error) {
	request := &pb.TxnRequest{}
	for _, record := range found {
		request.Success = append(request.Success, &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: &pb.TxnRequest{
			Compare: unchanged(record),
			Success: []*pb.RequestOp{remove(record.Key)},
		}}})
	}
	response, err := s.write(ctx, request)
	for _, one := range response.GetResponses() {
		if one.GetResponseTxn().GetSucceeded() {
			removed++
		}
	}
	return removed, err
}
