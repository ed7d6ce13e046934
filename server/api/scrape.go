package api

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// families gives all meters, sorted by name: what is gathered now, and the pipeline's own.
func (a *rest) families() ([]*dto.MetricFamily, error) {
	families, err := a.fleet.Gatherer().Gather()
	if err != nil {
		a.log.Warn("some metrics were not gathered", "err", err) // the others are given
	}
	var own, described bytes.Buffer
	a.fleet.WriteMetrics(&own)
	a.guard.writeMetrics(&own)
	for _, write := range a.cfg.Meters {
		write(&own)
	}
	describe(&described, own.String())
	parser := expfmt.NewTextParser(model.UTF8Validation)
	parsed, err := parser.TextToMetricFamilies(&described)
	if err != nil {
		return nil, fmt.Errorf("the server's own meters: %w", err)
	}
	for _, f := range parsed {
		families = append(families, f)
	}
	slices.SortFunc(families, func(x, y *dto.MetricFamily) int { return cmp.Compare(x.GetName(), y.GetName()) })
	return families, nil
}

// writePage writes families as the request wants them: OpenMetrics or the Prometheus text format, and compressed where that is taken.
func writePage(c *gin.Context, families []*dto.MetricFamily) error {
	format := expfmt.NegotiateAccept(c.Request.Header, expfmt.DefaultOpenMetricsAcceptedFormats()...)
	if kind := format.FormatType(); kind != expfmt.TypeOpenMetrics && kind != expfmt.TypeTextPlain {
		format = expfmt.NewFormat(expfmt.TypeTextPlain)
	}
	var page bytes.Buffer
	var out io.Writer = &page
	packed := strings.Contains(c.Request.Header.Get("Accept-Encoding"), "gzip")
	var pack *gzip.Writer
	if packed {
		var err error
		if pack, err = gzip.NewWriterLevel(&page, gzip.BestSpeed); err != nil {
			return err
		}
		out = pack
	}
	encoder := expfmt.NewEncoder(out, format)
	for _, f := range families {
		if err := encoder.Encode(f); err != nil {
			return err
		}
	}
	if closer, is := encoder.(expfmt.Closer); is { // OpenMetrics ends with a line of its own
		if err := closer.Close(); err != nil {
			return err
		}
	}
	if packed {
		if err := pack.Close(); err != nil {
			return err
		}
		c.Header("Content-Encoding", "gzip")
	}
	c.Header("Vary", "Accept, Accept-Encoding")
	c.Data(http.StatusOK, string(format), page.Bytes())
	return nil
}
