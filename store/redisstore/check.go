package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

const oldest = 6 // major version: it has RESP3 and pushes for a near cache

// check returns an error for a server that cannot fulfill the contract.
func (s *Store) check(ctx context.Context) error {
	for _, node := range s.client.Nodes() {
		text, err := within(ctx, s.gate, func(ctx context.Context) (string, error) {
			return node.Do(ctx, node.B().Info().Build().Pin()).ToString()
		})
		if err != nil && s.mayMiss(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("info: %w", withoutArgs(err))
		}
		if err := parseInfo(text).check(); err != nil {
			return err
		}
	}
	return nil
}

// mayMiss reports whether the error comes from one unreachable node of a
// Cluster, which can work without it.
func (s *Store) mayMiss(err error) bool {
	_, answered := rueidis.IsRedisErr(err)
	return !answered && s.client.Mode() == rueidis.ClientModeCluster
}

// info is the response to INFO.
type info map[string]string

func parseInfo(text string) info {
	i := make(info)
	for line := range strings.SplitSeq(text, "\r\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			i[name] = value
		}
	}
	return i
}

func (i info) check() error {
	major, _, _ := strings.Cut(i["redis_version"], ".")
	switch n, err := strconv.Atoi(major); {
	case err != nil:
		return errors.New("info: the server reports no redis_version")
	case n < oldest:
		return fmt.Errorf("the server has version %d: use version %d or later", n, oldest)
	case i["role"] == "slave" && i["cluster_enabled"] != "1":
		return errors.New("the server is a replica, which is not writable")
	case i["maxmemory_policy"] != "noeviction":
		return fmt.Errorf("maxmemory-policy is %q, which evicts records: set it to noeviction", i["maxmemory_policy"])
	}
	return nil
}

// probe uses every command once, so that a refused command is reported when the
// store is opened and not at the first login.
func (s *Store) probe(ctx context.Context) error {
	key, one, other := "probe:"+rand.Text(), []byte{1}, []byte{2}
	if _, err := s.CompareAndSwap(ctx, key, nil, one, time.Minute); err != nil {
		return err
	}
	if _, err := s.CompareAndSwap(ctx, key, one, other, time.Minute); err != nil {
		return err
	}
	if _, _, err := s.Get(ctx, key); err != nil {
		return err
	}
	return s.Delete(ctx, key)
}
