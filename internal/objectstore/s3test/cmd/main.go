// Command cmd runs the tests' separate S3 server for scripts and browser journeys that are not Go tests. It ends when
// its standard input does.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"dcdentals.com/caseload/internal/objectstore/s3test"
)

func main() {
	var o s3test.Options
	flag.StringVar(&o.Dir, "dir", "", "existing folder for the objects")
	flag.StringVar(&o.Addr, "addr", "127.0.0.1:7070", "loopback address and port")
	flag.StringVar(&o.Bucket, "bucket", "separate-bucket", "bucket, made when it is not there")
	flag.StringVar(&o.AccessKey, "access-key", "test-access", "access key")
	flag.StringVar(&o.SecretKey, "secret-key", "test-secret", "secret key")
	origins := flag.String("origins", "", "origins that CORS allows, separated by commas")
	flag.Parse()
	if *origins != "" {
		o.Origins = strings.Split(*origins, ",")
	}
	var err error
	if o.Dir, err = filepath.Abs(o.Dir); err == nil {
		err = s3test.Serve(context.Background(), o, os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "s3test:", err)
		os.Exit(1)
	}
}
