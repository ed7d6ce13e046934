package web

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/gin-gonic/gin"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
)

// runCSV sends the results of a run, a row a node, as they come from the store: however many there are, a page of them is in memory.
func (s *site) runCSV(c *gin.Context) error {
	ctx, id := c.Request.Context(), fettle.RunID(c.Param("id"))
	r, err := s.fleet.RunByID(ctx, id)
	if err != nil {
		return err
	}
	action := s.actionOf(c, r.Action)
	c.Header("Content-Type", "text/csv; charset=utf-8")
	c.Header("Content-Disposition", fmt.Sprintf("attachment; filename=%q", "run-"+string(id)+".csv"))
	c.Status(http.StatusOK)
	if err := s.writeCSV(ctx, csv.NewWriter(c.Writer), id, action); err != nil {
		s.log.Warn("results of a run are not sent to their end", "run", id, "err", err) // the head has gone
	}
	return nil
}

func (s *site) writeCSV(ctx context.Context, w *csv.Writer, id fettle.RunID, action *server.Action) error {
	head := []string{"node", "status", "message", "took_ms"}
	var outputs []string
	if action != nil {
		for _, o := range action.Outputs {
			outputs = append(outputs, o.Name)
		}
	}
	if err := w.Write(append(head, outputs...)); err != nil {
		return err
	}
	for cursor := ""; ; {
		results, next, err := s.fleet.RunResults(ctx, id, digestRead, cursor)
		if err != nil {
			return err
		}
		for _, r := range results {
			row := []string{string(r.Node), r.Status.String(), r.Message, strconv.FormatInt(r.TookMS, 10)}
			if r.Output != nil && r.Message == "" {
				row[2] = r.Output.Line
			}
			for _, name := range outputs {
				text := ""
				if value, has := r.Data[name]; has && value != nil {
					text, _ = shown(value)
				}
				row = append(row, text)
			}
			if err := w.Write(harmlessCells(row)); err != nil {
				return err
			}
		}
		if next == "" {
			w.Flush()
			return w.Error()
		}
		cursor = next
	}
}

// harmlessCells keeps a spreadsheet from taking what a node said for a formula.
func harmlessCells(row []string) []string {
	for i, cell := range row {
		if cell != "" && slices.Contains([]byte("=+-@\t\r"), cell[0]) {
			if _, err := strconv.ParseFloat(cell, 64); err != nil {
				row[i] = "'" + cell
			}
		}
	}
	return row
}
