package catalogue

// AgentName is the name under which the agent's own program is kept; no plugin can have it, because it is that of built-in actions.
const AgentName = "agent"
