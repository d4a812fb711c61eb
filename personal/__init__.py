"""One person's model: enrolment, samples, training."""
