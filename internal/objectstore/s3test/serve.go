package s3test

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
	"github.com/versity/versitygw/s3api"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/doctor"
	"dcdentals.com/caseload/internal/objectstore"
)

// Serve runs a stock versitygw until until is read to its end (the parent's pipe) or ctx ends, and writes one line with
// its address when it can be used. It changes the process's working directory.
func Serve(ctx context.Context, o Options, until io.Reader, out io.Writer) error {
	backend, err := posix.New(o.Dir, meta.XattrMeta{}, posix.PosixOpts{CopyObjectThreshold: 5 << 30, VersioningDir: o.Versions})
	if err != nil {
		return err
	}
	accounts, err := accounts(o)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, until)
		cancel()
	}()
	listening := make(chan struct{})
	served := make(chan error, 1)
	go func() {
		served <- embedgw.RunVersityGW(ctx, backend, &embedgw.Config{
			RootUserAccess: o.AccessKey, RootUserSecret: o.SecretKey,
			Ports: []string{o.Addr}, MaxConnections: 8192, MaxRequests: 8192, MultipartMaxParts: 10_000,
			Quiet: true, KeepAlive: true, IAMService: accounts,
			S3Options: []s3api.Option{s3api.WithOnListen(func() { close(listening) })},
		})
	}()
	select {
	case <-listening:
	case err := <-served:
		return err
	}
	if err := prepare(ctx, o); err != nil {
		return err
	}
	fmt.Fprintln(out, ready, "http://"+o.Addr)
	return <-served
}

// accounts returns who may ask besides the first account; nil when nobody does.
func accounts(o Options) (auth.IAMService, error) {
	if o.Accounts == "" {
		return nil, nil
	}
	known, err := auth.NewInternal(auth.Account{Access: o.AccessKey, Secret: o.SecretKey, Role: auth.RoleAdmin}, o.Accounts)
	if err != nil {
		return nil, err
	}
	for access, secret := range o.Users {
		err := known.CreateAccount(auth.Account{Access: access, Secret: secret, Role: auth.RoleUser})
		if err != nil && !errors.Is(err, auth.ErrUserExists) { // the server was killed and runs again
			return nil, err
		}
	}
	return known, nil
}

// prepare makes the bucket, if it is not there, and its CORS rules as the product would set them.
func prepare(ctx context.Context, o Options) error {
	client := s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: aws.String("http://" + o.Addr), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(o.AccessKey, o.SecretKey, ""),
	})
	if _, err := client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &o.Bucket}); err != nil {
		if _, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &o.Bucket}); err != nil {
			return err
		}
	}
	if len(o.Origins) == 0 {
		return nil
	}
	store, err := objectstore.New(ctx, objectstore.Config{
		Endpoint: "http://" + o.Addr, Region: "us-east-1", Bucket: o.Bucket, PathStyle: true, AccessKey: o.AccessKey, SecretKey: o.SecretKey,
	})
	if err != nil {
		return err
	}
	return store.SetSetting(ctx, caseload.BucketCORS, doctor.CORS(o.Origins, doctor.CLIForm))
}
