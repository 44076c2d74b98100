package etcdstore

import (
	"context"
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	page  = 500    // records that are read at once, at most 32 MiB
	many  = 10_000 // records from which a range is divided
	batch = 100    // records that are deleted at once; etcd allows 128 operations
)

// DeleteExpired deletes the records that have expired and returns their number. Call
// it every few minutes, from a ticker of the application or a separate job. Without
// it the database grows until it refuses logins. Several processes may call it at
// once, but one is enough.
//
// DeleteExpired reads all records, page by page. It ends with its context; records
// that it has deleted until then stay deleted.
func (s *Store) DeleteExpired(ctx context.Context) (removed int64, err error) {
	if removed, err = s.deleteParts(ctx, prefix, prefix); err != nil {
		return removed, s.failed("delete expired", err)
	}
	return removed, nil
}

// deleteParts visits the keys from first that begin with begin, divided by the
// character that follows, because etcd before 3.5 visits all keys of a range even if
// it returns only a few.
func (s *Store) deleteParts(ctx context.Context, first, begin string) (removed int64, err error) {
	c := byte('!')
	if len(first) > len(begin) {
		c = max(c, first[len(begin)])
	}
	for ; c <= '~'; c++ {
		n, err := s.deleteFrom(ctx, max(first, begin+string(c)), begin+string(c))
		if removed += n; err != nil {
			return removed, err
		}
	}
	return removed, nil
}

// deleteFrom visits the same keys page by page, and divides them if there are many.
func (s *Store) deleteFrom(ctx context.Context, first, begin string) (removed int64, err error) {
	for first != "" {
		n, next, rest, err := s.deletePage(ctx, first, begin)
		if removed += n; err != nil {
			return removed, err
		}
		if rest > many {
			n, err := s.deleteParts(ctx, next, begin)
			return removed + n, err
		}
		first = next
	}
	return removed, nil
}

// deletePage returns the key at which the next page begins, "" after the last page,
// and the number of remaining records.
func (s *Store) deletePage(ctx context.Context, first, begin string) (removed int64, next string, rest int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	found, rest, err := s.read(ctx, bound, &pb.RangeRequest{
		Key: []byte(first), RangeEnd: []byte(clientv3.GetPrefixRangeEnd(begin)), Limit: page,
	})
	if err != nil {
		return 0, "", 0, err
	}
	if rest -= int64(len(found)); rest > 0 {
		next = string(found[len(found)-1].Key) + "\x00"
	}
	expired, now := found[:0], instant()
	for _, record := range found {
		if _, end, err := decode(record.Value); err == nil && end <= now {
			expired = append(expired, record)
		}
	}
	for some := range slices.Chunk(expired, batch) {
		n, err := s.deleteBatch(ctx, some)
		if removed += n; err != nil {
			return removed, "", 0, err
		}
	}
	return removed, next, rest, nil
}

// deleteBatch deletes the records that were not written since they were found.
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
