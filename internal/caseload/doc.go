// Package caseload holds the nouns of the product: organizations, users, cases, files, studies, series, instances and
// events, the states a file can be in, the limits every route obeys, and the few kinds of error. It imports only the
// standard library and knows nothing of databases, object stores, queues or HTTP.
package caseload
