// Package controllers answers the requests: parse, ask the models, respond. A handler returns its error;
// middleware.Problems renders it.
package controllers

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"healthcare/apierror"
	"healthcare/listing"
	"healthcare/middleware"
	"healthcare/models"
)

// pathID reads the number in a path. What is no number that an id could be does not exist.
func pathID(c *gin.Context) (int64, error) {
	n, err := strconv.ParseUint(c.Param("id"), 10, 63)
	if err != nil || n == 0 {
		return 0, apierror.ErrNotFound
	}
	return int64(n), nil
}

// list answers with one page of what find finds.
func list[T any](c *gin.Context, find func(context.Context, models.Actor, url.Values) (*listing.Page[T], error)) error {
	values, err := queryOf(c)
	if err != nil {
		return err
	}
	done, err := turnFor(c, values)
	if err != nil {
		return err
	}
	defer done()
	page, err := find(c.Request.Context(), middleware.Actor(c), values)
	if err != nil {
		return err
	}
	return sendPage(c, page, values)
}

// create answers with what store made of the body.
func create[T, F any](c *gin.Context, bind func(body) models.Bind[F],
	store func(context.Context, models.Actor, models.Bind[F]) (*T, error),
) error {
	b, err := readBody(c)
	if err != nil {
		return err
	}
	by := middleware.Actor(c)
	if by.Retry, err = retryOf(c, b); err != nil {
		return err
	}
	made, err := store(c.Request.Context(), by, bind(b))
	if err != nil {
		return b.asCalled(err)
	}
	tellIfReplayed(c, by.Retry)
	respond(c, http.StatusCreated, made)
	return nil
}

// tellIfReplayed says in a header that the answer is that of an earlier request with the same Idempotency-Key.
func tellIfReplayed(c *gin.Context, retry *models.Retry) {
	if retry != nil && retry.Replayed {
		c.Header("Idempotent-Replayed", "true")
	}
}

// retryOf reads the Idempotency-Key header: at most 255 printable ASCII characters.
func retryOf(c *gin.Context, b body) (*models.Retry, error) {
	key := c.GetHeader("Idempotency-Key")
	if key == "" {
		return nil, nil
	}
	if len(key) > 255 || strings.IndexFunc(key, func(r rune) bool { return r < ' ' || r > '~' }) >= 0 {
		return nil, apierror.Fields{"Idempotency-Key": {"Ensure this header has no more than 255 printable ASCII characters."}}.Err()
	}
	return &models.Retry{Key: key, Route: c.FullPath(), BodyHash: b.hash}, nil
}

// respond answers with an object, and with its version as an entity tag if it has one. A client that has this version
// already gets no body.
func respond(c *gin.Context, status int, object any) {
	if versioned, ok := object.(interface{ ETag() string }); ok {
		etag := versioned.ETag()
		c.Header("ETag", etag)
		if c.Request.Method == http.MethodGet && isKnown(c, etag) {
			c.Status(http.StatusNotModified)
			return
		}
	}
	c.PureJSON(status, object)
}

// isKnown tells whether a client has a version already: If-None-Match names it, in one header or in several.
func isKnown(c *gin.Context, etag string) bool {
	return models.Matches(strings.Join(c.Request.Header.Values("If-None-Match"), ","), etag)
}

// retrieve answers with the one in the path, as find finds it (or as an action without a body leaves it).
func retrieve[T any](c *gin.Context, find func(context.Context, models.Actor, int64) (*T, error)) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	found, err := find(c.Request.Context(), middleware.Actor(c), id)
	if err != nil {
		return err
	}
	respond(c, http.StatusOK, found)
	return nil
}

// submit answers with what store made of the body.
func submit[T, F any](c *gin.Context, status int, bind func(body) models.Bind[F],
	store func(context.Context, models.Actor, models.Bind[F]) (*T, error),
) error {
	b, err := readBody(c)
	if err != nil {
		return err
	}
	stored, err := store(c.Request.Context(), middleware.Actor(c), bind(b))
	if err != nil {
		return b.asCalled(err)
	}
	respond(c, status, stored)
	return nil
}

// update is submit for the one in the path.
func update[T, F any](c *gin.Context, bind func(body) models.Bind[F],
	store func(context.Context, models.Actor, int64, models.Bind[F]) (*T, error),
) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	return submit(c, http.StatusOK, bind, func(ctx context.Context, by models.Actor, bind models.Bind[F]) (*T, error) {
		return store(ctx, by, id, bind)
	})
}

// listOf answers with one page of what find finds for the one in the path.
func listOf[T any](c *gin.Context, find func(context.Context, models.Actor, int64, url.Values) (*listing.Page[T], error)) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	return list(c, func(ctx context.Context, by models.Actor, values url.Values) (*listing.Page[T], error) {
		return find(ctx, by, id, values)
	})
}

// destroy hides the one in the path.
func destroy(c *gin.Context, hide func(context.Context, models.Actor, int64) error) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	if err := hide(c.Request.Context(), middleware.Actor(c), id); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

// origin is the address of this server, as the client used it.
func origin(c *gin.Context) string { return c.Request.URL.Scheme + "://" + c.Request.Host }
