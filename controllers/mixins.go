// Package controllers answers the requests: parse, ask the models, respond. A handler returns its error;
// middleware.Problems renders it.
package controllers

import (
	"context"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"healthcare/middleware"
	"healthcare/models"
)

// list answers with one page of what find finds.
func list[T any](c *gin.Context, find func(context.Context, models.Actor, url.Values) (*models.Page[T], error)) error {
	values, err := queryOf(c)
	if err != nil {
		return err
	}
	page, err := find(c.Request.Context(), middleware.Actor(c), values)
	if err != nil {
		return err
	}
	sendPage(c, page, values)
	return nil
}

// create answers with what store made of the body.
func create[T, F any](c *gin.Context, how func(body) models.Change[F],
	store func(context.Context, models.Actor, models.Change[F]) (*T, error),
) error {
	b, err := readBody(c)
	if err != nil {
		return err
	}
	made, err := store(c.Request.Context(), middleware.Actor(c), how(b))
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, made)
	return nil
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
	c.JSON(http.StatusOK, found)
	return nil
}

// update answers with what store made of the one in the path and the body.
func update[T, F any](c *gin.Context, how func(body) models.Change[F],
	store func(context.Context, models.Actor, int64, models.Change[F]) (*T, error),
) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	b, err := readBody(c)
	if err != nil {
		return err
	}
	updated, err := store(c.Request.Context(), middleware.Actor(c), id, how(b))
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, updated)
	return nil
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
