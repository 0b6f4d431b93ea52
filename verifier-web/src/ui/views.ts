// What is seen only after somebody did something: loaded together with the verifier.
export { Camera } from './camera.js';
export { DocumentTab } from './document.js';
export { List } from './list.js';
export { Result } from './result.js';
export { Settings } from './settings.js';
