// What Chainlit's page has no place for, a module for each.
import "./page/composer.js";
import "./page/copies.js";
import { installDirection } from "./page/direction.js";
import { installHeader } from "./page/header.js";
import { installLinks } from "./page/links.js";
import { keepPlace } from "./page/place.js";
import { installReader } from "./page/reader.js";
import { installStatus } from "./page/status.js";

installLinks();
installDirection();
installHeader();
installReader();
installStatus();
keepPlace();
