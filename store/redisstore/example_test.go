package redisstore_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/authlatch/auth/store/redisstore"
	"github.com/redis/rueidis"
)

// Pass the Store to the configuration of sessions or tokens:
//
//	sessions, err := session.New(session.Config{Store: s})
func Example() {
	ctx := context.Background()
	s, err := redisstore.Open(ctx, "redis://127.0.0.1:6379")
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()

	swapped, err := s.CompareAndSwap(ctx, "greeting", nil, []byte("hello"), time.Hour)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("created:", swapped)
	value, ok, err := s.Get(ctx, "greeting")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("found: %v, %s\n", ok, value)
}

// A session that this process has seen recently is read without a round trip.
func ExampleOpenNear() {
	s, err := redisstore.OpenNear(context.Background(), "redis://127.0.0.1:6379")
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
}

// A Store and a near cache on the client of the service.
func ExampleNew() {
	option := rueidis.ClientOption{InitAddress: []string{"10.0.0.1:6379", "10.0.0.2:6379"}}
	client, err := rueidis.NewClient(option)
	if err != nil {
		log.Fatal(err)
	}
	s, err := redisstore.New(context.Background(), client)
	if err != nil {
		log.Fatal(err)
	}
	near, err := redisstore.NewNear(context.Background(), s, option)
	if err != nil {
		log.Fatal(err)
	}
	defer near.Close()
}
