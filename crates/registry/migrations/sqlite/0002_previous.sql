-- Whether a secret is known is asked with each registration; without it that reads all clients.
CREATE INDEX clients_previous ON clients (previous) WHERE previous IS NOT NULL;
