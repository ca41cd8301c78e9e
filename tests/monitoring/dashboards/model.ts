// The form of our dashboards, from Grafana's own types: each panel's options and field configuration by its type.
// A dashboard that uses another type of panel adds it to `Panels`.
import type { Dashboard, DataQuery, FieldConfig, FieldConfigSource, Panel, RowPanel } from '@grafana/schema';
import type * as stat from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type * as timeseries from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

// JSON knows no enums: a string enum is one of its values.
type Plain<T> = T extends string ? `${T}` : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;

interface Query extends DataQuery {
  expr: string;
  legendFormat: string;
  range: boolean;
}

interface Of<Type extends string, Options, Custom> extends Omit<Panel, 'type' | 'options' | 'fieldConfig' | 'targets'> {
  type: Type;
  options: Options;
  fieldConfig: Omit<FieldConfigSource, 'defaults'> & { defaults: Omit<FieldConfig, 'custom'> & { custom?: Custom } };
  targets: Query[];
}

type Panels = RowPanel | Of<'stat', stat.Options, never> | Of<'timeseries', timeseries.Options, timeseries.FieldConfig>;

export type Model = Plain<Omit<Dashboard, 'panels'> & { panels: Panels[] }>;
