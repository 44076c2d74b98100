package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// An about says where and when the bench ran, and of what.
type about struct {
	date, machine, goVersion string
	libraries                []string // with their versions
}

// compared are the libraries that the page compares, and those that they use.
var compared = []string{
	"github.com/alexedwards/scs/v2", "github.com/gorilla/sessions", "github.com/boj/redistore",
	"github.com/gofiber/fiber/v2", "github.com/golang-jwt/jwt/v5", "github.com/go-jose/go-jose/v4",
	"github.com/lestrrat-go/jwx/v3", "github.com/auth0/go-jwt-middleware/v2", "github.com/labstack/echo-jwt/v4",
	"github.com/go-chi/jwtauth/v5", "github.com/redis/rueidis", "github.com/redis/go-redis/v9",
	"github.com/jackc/pgx/v5", "modernc.org/sqlite", "go.etcd.io/etcd/client/v3",
}

func describe() about {
	a := about{
		date: time.Now().UTC().Format(time.DateOnly),
		machine: fmt.Sprintf("%s/%s, %d cores, %s, %s of memory, load average %s when the run began",
			runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), processor(), memory(), loadAverage()),
		goVersion: runtime.Version(),
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		versions := make(map[string]string)
		for _, d := range info.Deps {
			versions[d.Path] = d.Version
		}
		for _, path := range compared {
			if v := versions[path]; v != "" {
				a.libraries = append(a.libraries, path+" "+v)
			}
		}
	}
	return a
}

// processor names the processor, as far as the system does.
func processor() string { return lineOf("/proc/cpuinfo", "model name", "an unknown processor") }

// memory says how much memory there is.
func memory() string {
	var kib float64
	if _, err := fmt.Sscanf(lineOf("/proc/meminfo", "MemTotal", ""), "%f kB", &kib); err != nil {
		return "an unknown amount"
	}
	return fmt.Sprintf("%.0f GiB", kib/(1<<20))
}

// loadAverage is that of the last minute. More than a fraction of a core disturbs.
func loadAverage() string {
	text, _ := os.ReadFile("/proc/loadavg")
	if first, _, ok := strings.Cut(string(text), " "); ok {
		return first
	}
	return "unknown"
}

// lineOf returns what a file of lines "name: value" says of a name.
func lineOf(file, name, otherwise string) string {
	f, err := os.Open(file)
	if err != nil {
		return otherwise
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if n, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(n) == name {
			return strings.TrimSpace(value)
		}
	}
	return otherwise
}
