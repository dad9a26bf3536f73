package objectstore

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

// Credential returns the id of the access key in use, the SDK's name of where it came from, and when it ends; zero when it
// says nothing of an end.
func (s *Store) Credential(ctx context.Context) (id, source string, ends time.Time, err error) {
	value, err := s.client.Options().Credentials.Retrieve(ctx)
	if err != nil {
		return "", "", time.Time{}, errors.New("no credentials were found") // the SDK's own words hold addresses and profiles
	}
	if value.CanExpire {
		ends = value.Expires
	}
	return value.AccessKeyID, value.Source, ends, nil
}

// Principal asks STS whose the credentials are. code is the service's own error code, or "" when it did not answer.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
func (s *Store) Principal(ctx context.Context) (account, arn, code string, err error) {
	out, err := sts.NewFromConfig(s.sdk, func(o *sts.Options) { o.Retryer = aws.NopRetryer{} }).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err == nil {
		return aws.ToString(out.Account), aws.ToString(out.Arn), "", nil
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		code = api.ErrorCode()
	}
	return "", "", code, errors.New("STS did not say whose the credentials are")
}
