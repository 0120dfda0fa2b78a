/** The icons of this extension. */
import { LabIcon } from '@jupyterlab/ui-components';

/** A screen with a play sign, on a line. */
export const remoteIcon = new LabIcon({
  name: 'jupyter-remote:remote',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
<path class="jp-icon3" fill="#616161" d="M4 3h16a2 2 0 0 1 2 2v9a2 2 0 0 1-2 2h-7v2h2.2a2 2 0 0 1 3.6 0H22v2h-3.2a2 2 0 0 1-3.6 0H8.8a2 2 0 0 1-3.6 0H2v-2h3.2a2 2 0 0 1 3.6 0H11v-2H4a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2zm0 2v9h16V5zm6 1.8 5 2.7-5 2.7z"/>
</svg>`
});
