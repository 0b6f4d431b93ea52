import { render } from 'preact';

const app = document.getElementById('app');
if (app !== null) render(<h1>Check a diploma</h1>, app);
