package etcdstore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/grpc"
)

// keys is a cluster that has records, pages and deletes.
type keys struct {
	pb.KVClient
	records  map[string][]byte
	sorted   []string
	requests int
	walked   int // keys that a member of version 3.4 walks over
}

func (k *keys) Range(_ context.Context, r *pb.RangeRequest, _ ...grpc.CallOption) (*pb.RangeResponse, error) {
	from, _ := slices.BinarySearch(k.sorted, string(r.Key))
	to, _ := slices.BinarySearch(k.sorted, string(r.RangeEnd))
	k.requests++
	k.walked += to - from
	response := &pb.RangeResponse{Header: &pb.ResponseHeader{}, Count: int64(to - from)}
	for _, key := range k.sorted[from:min(to, from+int(r.Limit))] {
		response.Kvs = append(response.Kvs, &mvccpb.KeyValue{Key: []byte(key), Value: k.records[key]})
	}
	return response, nil
}

func (k *keys) Txn(_ context.Context, r *pb.TxnRequest, _ ...grpc.CallOption) (*pb.TxnResponse, error) {
	response := &pb.TxnResponse{Header: &pb.ResponseHeader{}}
	for _, op := range r.Success {
		key := string(op.GetRequestTxn().Success[0].GetRequestDeleteRange().Key)
		_, ok := k.records[key]
		delete(k.records, key)
		at, _ := slices.BinarySearch(k.sorted, key)
		k.sorted = slices.Delete(k.sorted, at, at+1)
		response.Responses = append(response.Responses, &pb.ResponseOp{Response: &pb.ResponseOp_ResponseTxn{ResponseTxn: &pb.TxnResponse{Succeeded: ok}}})
	}
	return response, nil
}

// Keys of all shapes: few, many, each the beginning of the next, and so many
// alike that they are divided more than once.
func TestDeleteExpiredReadsEveryKeyOnce(t *testing.T) {
	k := &keys{records: make(map[string][]byte)}
	living, expired := encode([]byte("v"), instant()+uint64(1e15)), encode([]byte("v"), 1)
	want, n := 0, 0
	add := func(key string) {
		k.records[prefix+key] = living
		if n++; n%3 == 0 {
			k.records[prefix+key] = expired
			want++
		}
	}
	for i := range maxKey {
		add(strings.Repeat("a", i+1))
		add(strings.Repeat("~", i+1))
		add(strings.Repeat("!", i+1))
	}
	for i := range many + 4*page {
		add(fmt.Sprintf("same-beginning-%d", i))
	}
	for i := range 2 * many {
		add(fmt.Sprintf("%c%c%d", '!'+i%94, '!'+i/94%94, i))
	}
	k.sorted = slices.Sorted(maps.Keys(k.records))
	s := &Store{kv: k}
	all := len(k.records)
	removed, err := s.deleteParts(t.Context(), prefix, prefix)
	if removed != int64(want) || len(k.records) != all-want || err != nil {
		t.Errorf("%d of %d removed, %d of %d left, %v", removed, want, len(k.records), all-want, err)
	}
	t.Logf("%d keys in %d requests, %d walked over", all, k.requests, k.walked)
	if again, err := s.deleteParts(t.Context(), prefix, prefix); again != 0 || err != nil {
		t.Errorf("once more: %d, %v", again, err)
	}
}
