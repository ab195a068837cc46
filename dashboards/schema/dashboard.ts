// What a dashboard of ours may contain: Grafana's own types, put together more strictly than Grafana
// does. There a panel's `options`, its `custom` field settings and its `targets` are open records,
// because every plugin brings its own; here each panel type we use is a type of its own.

import type * as raw from './node_modules/@grafana/schema/dist/types/raw/dashboard/x/types.gen';
import type * as bargauge from './node_modules/@grafana/schema/dist/types/raw/composable/bargauge/panelcfg/x/types.gen';
import type * as stat from './node_modules/@grafana/schema/dist/types/raw/composable/stat/panelcfg/x/types.gen';
import type * as statetimeline from './node_modules/@grafana/schema/dist/types/raw/composable/statetimeline/panelcfg/x/types.gen';
import type * as table from './node_modules/@grafana/schema/dist/types/raw/composable/table/panelcfg/x/types.gen';
import type * as timeseries from './node_modules/@grafana/schema/dist/types/raw/composable/timeseries/panelcfg/x/types.gen';

// The Prometheus data source keeps its query type in its own package, so this one is ours.
interface PrometheusQuery {
    refId: string;
    expr: string;
    legendFormat?: string;
    instant?: boolean;
    range?: boolean;
    format?: 'time_series' | 'table' | 'heatmap';
}

// Likewise its fields of an annotation.
interface PrometheusAnnotation extends Omit<raw.AnnotationQuery, 'target'> {
    expr: string;
    titleFormat: string;
    textFormat: string;
    tagKeys: string;
    useValueForTime?: boolean;
}

interface DataLink {
    title: string;
    url: string;
    targetBlank?: boolean;
}

interface Field<Custom> extends Omit<raw.FieldConfig, 'custom' | 'links'> {
    custom?: Partial<Custom>;
    links?: DataLink[];
}

// Which ids there are, and what value each takes, generate.mjs copies from `Field`.
interface Override {
    matcher: { id: 'byName' | 'byRegexp' | 'byFrameRefID'; options: string };
    properties: Array<{ id: string; value: unknown }>;
}

type Transformation =
    | { id: 'merge'; options: Record<string, never> }
    | { id: 'filterFieldsByName'; options: { include: { names: string[] } } }
    | {
          id: 'organize';
          options: {
              excludeByName: Record<string, boolean>;
              indexByName: Record<string, number>;
              renameByName: Record<string, string>;
          };
      };

type Known =
    | 'datasource'
    | 'description'
    | 'gridPos'
    | 'id'
    | 'interval'
    | 'links'
    | 'maxDataPoints'
    | 'repeat'
    | 'repeatDirection'
    | 'maxPerRow'
    | 'title'
    | 'transparent';

interface PanelOf<Type extends string, Options, Custom>
    extends
        Required<Pick<raw.Panel, 'description' | 'datasource' | 'gridPos' | 'id' | 'title'>>,
        Omit<Pick<raw.Panel, Known>, 'description' | 'datasource' | 'gridPos' | 'id' | 'title'> {
    type: Type;
    targets: PrometheusQuery[];
    transformations?: Transformation[];
    options: Options;
    fieldConfig: { defaults: Field<Custom>; overrides: Override[] };
}

export type Row = raw.RowPanel;
export type BarGauge = PanelOf<'bargauge', bargauge.Options, {}>;
export type Stat = PanelOf<'stat', stat.Options, {}>;
export type StateTimeline = PanelOf<'state-timeline', statetimeline.Options, statetimeline.FieldConfig>;
export type Table = PanelOf<'table', table.Options, table.FieldConfig & { width?: number }>;
export type TimeSeries = PanelOf<'timeseries', timeseries.Options, timeseries.FieldConfig>;

export interface Dashboard extends Omit<raw.Dashboard, 'panels' | 'annotations' | 'snapshot'> {
    title: string;
    uid: string;
    annotations: { list: PrometheusAnnotation[] };
    panels: Array<Row | BarGauge | Stat | StateTimeline | Table | TimeSeries>;
}
