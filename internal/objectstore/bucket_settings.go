package objectstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"dcdentals.com/caseload/internal/caseload"
)

// settingCalls is how one setting of a bucket is read and written. get returns nil when it is not set.
type settingCalls struct {
	getCall, getAction, putCall, putAction string

	absent string // the code of the answer that says it is not set; "": there is none
	get    func(ctx context.Context, s *Store) (any, error)
	put    func(ctx context.Context, s *Store, document []byte) error
}

// Each pair is described on its page of https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html.
var settingsCalls = map[caseload.BucketSetting]settingCalls{
	caseload.BucketPublicAccess: {
		"GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock", "PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock", "NoSuchPublicAccessBlockConfiguration",
		func(ctx context.Context, s *Store) (any, error) {
			out, err := s.client.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: &s.bucket})
			return taken(err, func() any { return out.PublicAccessBlockConfiguration })
		},
		put(func(ctx context.Context, s *Store, d *types.PublicAccessBlockConfiguration) error {
			_, err := s.client.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{Bucket: &s.bucket, PublicAccessBlockConfiguration: d})
			return err
		}),
	},
	caseload.BucketOwnership: {
		"GetBucketOwnershipControls", "s3:GetBucketOwnershipControls", "PutBucketOwnershipControls", "s3:PutBucketOwnershipControls", "OwnershipControlsNotFoundError",
		func(ctx context.Context, s *Store) (any, error) {
			out, err := s.client.GetBucketOwnershipControls(ctx, &s3.GetBucketOwnershipControlsInput{Bucket: &s.bucket})
			return taken(err, func() any { return out.OwnershipControls })
		},
		put(func(ctx context.Context, s *Store, d *types.OwnershipControls) error {
			_, err := s.client.PutBucketOwnershipControls(ctx, &s3.PutBucketOwnershipControlsInput{Bucket: &s.bucket, OwnershipControls: d})
			return err
		}),
	},
	caseload.BucketEncryption: {
		"GetBucketEncryption", "s3:GetEncryptionConfiguration", "PutBucketEncryption", "s3:PutEncryptionConfiguration", "ServerSideEncryptionConfigurationNotFoundError",
		func(ctx context.Context, s *Store) (any, error) {
			out, err := s.client.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: &s.bucket})
			return taken(err, func() any { return out.ServerSideEncryptionConfiguration })
		},
		put(func(ctx context.Context, s *Store, d *types.ServerSideEncryptionConfiguration) error {
			_, err := s.client.PutBucketEncryption(ctx, &s3.PutBucketEncryptionInput{Bucket: &s.bucket, ServerSideEncryptionConfiguration: d})
			return err
		}),
	},
	caseload.BucketVersioning: {
		"GetBucketVersioning", "s3:GetBucketVersioning", "PutBucketVersioning", "s3:PutBucketVersioning", "",
		func(ctx context.Context, s *Store) (any, error) {
			out, err := s.client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &s.bucket})
			if err != nil || out.Status == "" {
				return nil, err
			}
			return struct{ Status types.BucketVersioningStatus }{out.Status}, nil
		},
		put(func(ctx context.Context, s *Store, d *types.VersioningConfiguration) error {
			_, err := s.client.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: &s.bucket, VersioningConfiguration: d})
			return err
		}),
	},
	caseload.BucketPolicy: {
		"GetBucketPolicy", "s3:GetBucketPolicy", "PutBucketPolicy", "s3:PutBucketPolicy", "NoSuchBucketPolicy",
		func(ctx context.Context, s *Store) (any, error) {
			out, err := s.client.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &s.bucket})
			if err != nil || aws.ToString(out.Policy) == "" {
				return nil, err
			}
			return json.RawMessage(*out.Policy), nil
		},
		func(ctx context.Context, s *Store, document []byte) error {
			_, err := s.client.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &s.bucket, Policy: aws.String(string(document))})
			return err
		},
	},
	caseload.BucketLifecycle: {
		"GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration", "PutBucketLifecycleConfiguration", "s3:PutLifecycleConfiguration", "NoSuchLifecycleConfiguration",
		func(ctx context.Context, s *Store) (any, error) {
			out, err := s.client.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &s.bucket})
			return taken(err, func() any { return types.BucketLifecycleConfiguration{Rules: out.Rules} })
		},
		put(func(ctx context.Context, s *Store, d *types.BucketLifecycleConfiguration) error {
			_, err := s.client.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{Bucket: &s.bucket, LifecycleConfiguration: d})
			return err
		}),
	},
	caseload.BucketCORS: {
		"GetBucketCors", "s3:GetBucketCORS", "PutBucketCors", "s3:PutBucketCORS", "NoSuchCORSConfiguration",
		func(ctx context.Context, s *Store) (any, error) {
			out, err := s.client.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: &s.bucket})
			return taken(err, func() any { return types.CORSConfiguration{CORSRules: out.CORSRules} })
		},
		put(func(ctx context.Context, s *Store, d *types.CORSConfiguration) error {
			if len(d.CORSRules) == 0 { // S3 knows no configuration without rules
				_, err := s.client.DeleteBucketCors(ctx, &s3.DeleteBucketCorsInput{Bucket: &s.bucket})
				return err
			}
			_, err := s.client.PutBucketCors(ctx, &s3.PutBucketCorsInput{Bucket: &s.bucket, CORSConfiguration: d})
			return err
		}),
	},
}

// Setting returns what is set on the bucket as indented JSON, in the form of the store's command line; nil when nothing
// is. It answers NotFound when there is no such bucket, Forbidden, with the missing action, when these credentials may not
// look, and an error that wraps errors.ErrUnsupported when the store has no such setting.
func (s *Store) Setting(ctx context.Context, which caseload.BucketSetting) ([]byte, error) {
	calls, ok := settingsCalls[which]
	if !ok {
		return nil, fmt.Errorf("%q is no setting of a bucket", which)
	}
	value, err := calls.get(ctx, s)
	var api smithy.APIError
	if errors.As(err, &api) && calls.absent != "" && api.ErrorCode() == calls.absent {
		return nil, nil
	}
	if err != nil {
		return nil, s.setUpError(calls.getCall, calls.getAction, err)
	}
	if value == nil {
		return nil, nil
	}
	return written(value)
}

// SetSetting replaces the setting by the document, which must be wholly in the form Setting returns: a word in it that
// nobody knows is Invalid. CORS without a rule is taken away. Errors are Setting's, and Invalid when the store refuses
// what the document says.
func (s *Store) SetSetting(ctx context.Context, which caseload.BucketSetting, document []byte) error {
	calls, ok := settingsCalls[which]
	if !ok {
		return fmt.Errorf("%q is no setting of a bucket", which)
	}
	err := calls.put(ctx, s, document)
	var own *caseload.Error
	if errors.As(err, &own) {
		return own
	}
	return s.setUpError(calls.putCall, calls.putAction, err)
}

// taken returns what an answer holds, and nil when the store answered that it holds nothing.
func taken(err error, value func() any) (any, error) {
	if err != nil {
		return nil, err
	}
	return value(), nil
}

// put makes the calls that write of one that takes the SDK's own type.
func put[T any](call func(ctx context.Context, s *Store, value *T) error) func(context.Context, *Store, []byte) error {
	return func(ctx context.Context, s *Store, document []byte) error {
		value := new(T)
		d := json.NewDecoder(bytes.NewReader(document))
		d.DisallowUnknownFields()
		if err := d.Decode(value); err != nil {
			return caseload.Errorf(caseload.Invalid, "The document is not in the form the store takes.").WithCause(err)
		}
		return call(ctx, s, value)
	}
}

// written returns a value of the SDK as JSON without what is not set; its fields have the names of the store's command line.
func written(value any) ([]byte, error) {
	raw, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("write the setting as JSON: %w", err)
	}
	var loose any
	if err := json.Unmarshal(raw, &loose); err != nil {
		return nil, fmt.Errorf("write the setting as JSON: %w", err)
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(withoutNulls(loose)); err != nil {
		return nil, fmt.Errorf("write the setting as JSON: %w", err)
	}
	return out.Bytes(), nil
}

func withoutNulls(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for name, each := range v {
			if each == nil {
				delete(v, name)
			} else {
				v[name] = withoutNulls(each)
			}
		}
	case []any:
		v = slices.DeleteFunc(v, func(each any) bool { return each == nil })
		for i := range v {
			v[i] = withoutNulls(v[i])
		}
		return v
	}
	return value
}
